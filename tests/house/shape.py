"""``python -m tests.house.shape``: how long modules and functions are. A mirror, not a gate."""

from __future__ import annotations

import argparse
import ast
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.house.sources import PACKAGES, ROOT, modules

Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Measured:
    """A module or a function and its lines, without docstrings."""

    name: str
    lines: int


@dataclass(frozen=True, slots=True)
class Package:
    """All modules and functions of one folder below the roots."""

    name: str
    modules: list[Measured]
    functions: list[Measured]


def survey(*folders: str) -> list[Package]:
    """One record for each package, in the order of their names."""
    packages: dict[str, Package] = {}
    for path, tree in modules(*folders):
        name = str(path.parent)
        package = packages.setdefault(name, Package(name, [], []))
        if not tree.body:
            continue
        total = len((ROOT / path).read_text().splitlines())
        package.modules.append(Measured(str(path), total - sum(_docstring(node) for node in ast.walk(tree))))
        package.functions.extend(_functions(path, tree, ""))
    return [packages[name] for name in sorted(packages) if packages[name].modules]


def percentile(lines: Sequence[int], share: float) -> int:
    """The smallest of the lengths that ``share`` of them don't exceed."""
    ranked = sorted(lines)
    return ranked[min(len(ranked) - 1, int(share * len(ranked)))]


def _docstring(node: ast.AST) -> int:
    """How many lines of this node are its docstring."""
    if not isinstance(node, Documented) or ast.get_docstring(node, clean=False) is None:
        return 0
    first = node.body[0]
    return (first.end_lineno or first.lineno) - first.lineno + 1


def _functions(path: Path, parent: ast.AST, prefix: str) -> list[Measured]:
    found = []
    for node in ast.iter_child_nodes(parent):
        if isinstance(node, ast.ClassDef):
            found += _functions(path, node, f"{prefix}{node.name}.")
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1 - _docstring(node)
            found.append(Measured(f"{path}:{node.lineno} {prefix}{node.name}", length))
    return found


def _line(package: str, modules_: list[Measured], functions: list[Measured]) -> str:
    sizes, lengths = [m.lines for m in modules_], [f.lines for f in functions] or [0]
    return (
        f"{package:32} {len(sizes):5} {sum(sizes):7} {statistics.median(sizes):7.0f} {percentile(sizes, 0.9):5} "
        f"{max(sizes):5} {statistics.median(lengths):9.0f} {percentile(lengths, 0.9):5} {max(lengths):5}"
    )


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(prog="python -m tests.house.shape", description=__doc__)
    parser.add_argument("--longest", type=int, default=15, help="how many of the longest to list")
    parser.add_argument("--tests", action="store_true", help="look at the tests too")
    chosen = parser.parse_args()
    packages = survey(*PACKAGES, *(["tests"] if chosen.tests else []))
    all_modules = [module for package in packages for module in package.modules]
    all_functions = [function for package in packages for function in package.functions]
    if not all_modules:
        print("nothing to measure yet")
        return

    of_modules = f"{'files':>5} {'total':>7} {'median':>7} {'p90':>5} {'max':>5}"
    print(f"{'package':32} {of_modules} {'functions':>9} {'p90':>5} {'max':>5}")
    for package in packages:
        print(_line(package.name, package.modules, package.functions))
    print(_line("all", all_modules, all_functions))
    for title, measured in (("modules", all_modules), ("functions", all_functions)):
        print(f"\nlongest {title}, without docstrings")
        for one in sorted(measured, key=lambda m: (-m.lines, m.name))[: chosen.longest]:
            print(f"  {one.lines:5}  {one.name}")


if __name__ == "__main__":
    main()
