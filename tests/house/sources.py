"""The files of the project and their syntax trees, for the tests of the house and its mirror."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("shardkv", "nodes/shardkv_node", "cli/shardkv_cli")


@cache
def project_files() -> tuple[Path, ...]:
    """Every file that is tracked or would be: relative to the root, sorted."""
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    names = sorted(set(listing.split("\0")) - {""})
    return tuple(Path(name) for name in names if (ROOT / name).is_file())


def modules(*folders: str) -> Iterator[tuple[Path, ast.Module]]:
    """The Python files below these folders, parsed."""
    for path in project_files():
        if path.suffix == ".py" and any(path.is_relative_to(folder) for folder in folders):
            yield path, syntax_tree(path)


@cache
def syntax_tree(path: Path) -> ast.Module:
    """The syntax tree of one file."""
    return ast.parse((ROOT / path).read_text(), str(path))
