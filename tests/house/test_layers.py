"""The rows of the house: who may import whom (contracts in pyproject.toml)."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LINT = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"


def _contracts() -> list[dict[str, object]]:
    config = tomllib.loads((ROOT / "pyproject.toml").read_text())
    contracts: list[dict[str, object]] = config["tool"]["importlinter"]["contracts"]
    return contracts


def _rows() -> list[str]:
    [layers] = [contract["layers"] for contract in _contracts() if contract["type"] == "layers"]
    assert isinstance(layers, list)
    return layers


def test_every_module_imports_only_from_rows_below_it() -> None:
    done = subprocess.run([sys.executable, "-c", LINT], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_part_of_the_library_stands_in_a_row() -> None:
    # A layers contract says nothing about modules that it doesn't name.
    named = {name.strip() for row in _rows() for name in re.split(r"[|:]", row)}
    parts = {
        path.stem for path in (ROOT / "shardkv").iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    assert {f"shardkv.{part}" for part in parts - {"__init__", "__main__"}} - named == set()


def test_the_library_is_kept_from_the_world() -> None:
    [forbidden] = [contract["forbidden_modules"] for contract in _contracts() if contract["type"] == "forbidden"]
    assert isinstance(forbidden, list)
    assert {"trio", "socket", "time", "os", "random", "click", "threading"} <= set(forbidden)
