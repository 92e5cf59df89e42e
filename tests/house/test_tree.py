"""What the tree holds, and what it never does."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache

from tests.house.sources import PACKAGES, ROOT, modules, project_files

Function = ast.FunctionDef | ast.AsyncFunctionDef

FOLDERS = {"shardkv", "nodes", "cli", "tests", "examples", ".ci"}
FILES = {
    ".dockerignore",
    ".gitignore",
    ".pre-commit-config.yaml",
    "ARCHITECTURE.md",
    "CHANGES.md",
    "Dockerfile",
    "LICENSE",
    "Makefile",
    "README.md",
    "pyproject.toml",
}
DRAWERS = {"util", "utils", "helper", "helpers", "misc", "common", "base", "lib"}

# Written with brackets so that these lines aren't found themselves.
UNFINISHED = re.compile(r"\b(TO[D]O|FIX[M]E|XX[X])\b")
OF_ONE_MACHINE = re.compile(r"(?<![\w.$}])/([w]ork|[r]oot|[h]ome/[a-z]+|[U]sers/\w+|[o]pt/wheels)/")
# What a checker is told to overlook, without a word on why.
SILENCED = re.compile(r"# (type: ignor[e]|noq[a])(\[[^]]*\]|: [A-Z0-9, ]+)?\s*$")
REGISTRY = re.compile(r"\b([p]ypi|[p]ythonhosted|[n]pmjs|[d]ebian)[.](org|com|net)\b", re.IGNORECASE)


def _lines_with(pattern: re.Pattern[str]) -> list[str]:
    found = []
    for path in project_files():
        try:
            text = (ROOT / path).read_text()
        except UnicodeDecodeError:
            continue
        found += [f"{path}:{n}: {line.strip()}" for n, line in enumerate(text.splitlines(), 1) if pattern.search(line)]
    return found


def _public(nodes: list[ast.stmt]) -> Iterator[Function]:
    yield from (node for node in nodes if isinstance(node, Function) and not node.name.startswith("_"))


def _nothing(found: list[str]) -> None:
    assert not found, "\n".join(["", *found])


@cache
def _classes() -> dict[str, list[ast.ClassDef]]:
    """The classes of the project by name."""
    found: dict[str, list[ast.ClassDef]] = {}
    for _, tree in modules(*PACKAGES):
        for node in tree.body:
            if isinstance(node, ast.ClassDef):
                found.setdefault(node.name, []).append(node)
    return found


def _promised(node: ast.ClassDef) -> set[str]:
    """Names of the methods that the bases of a class describe."""
    names: set[str] = set()
    for base in node.bases:
        name = ast.unparse(base).partition("[")[0].rpartition(".")[2]
        for parent in _classes().get(name, []):
            names |= {method.name for method in _public(parent.body) if ast.get_docstring(method)}
            names |= _promised(parent) if parent.name != node.name else set()
    return names


def _undocumented(tree: ast.Module) -> Iterator[Function]:
    """Public functions and methods without a docstring that need one.

    A body of one statement is its own description, an overload or setter has its twin's, and a method that fills in
    one of a base class has that one's.
    """
    candidates = list(_public(tree.body))
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            candidates += [method for method in _public(node.body) if method.name not in _promised(node)]
    for function in candidates:
        marks = {ast.unparse(decorator).rpartition(".")[2] for decorator in function.decorator_list}
        twin = not marks.isdisjoint({"overload", "override", "setter"})
        if not twin and len(function.body) > 1 and not ast.get_docstring(function):
            yield function


def test_nothing_new_stands_at_the_root() -> None:
    folders = {path.parts[0] for path in project_files() if len(path.parts) > 1}
    files = {path.name for path in project_files() if len(path.parts) == 1}
    assert (folders - FOLDERS, files - FILES) == (set(), set())


def test_no_module_is_a_drawer_for_odds_and_ends() -> None:
    _nothing([str(path) for path in project_files() if path.suffix == ".py" and path.stem in DRAWERS])


def test_nothing_is_left_for_later_in_the_code() -> None:
    _nothing(_lines_with(UNFINISHED))


def test_no_file_names_a_path_of_one_machine() -> None:
    _nothing(_lines_with(OF_ONE_MACHINE))


def test_no_file_names_the_host_of_a_registry() -> None:
    _nothing(_lines_with(REGISTRY))


def test_every_word_to_a_checker_has_its_reason_on_its_line() -> None:
    _nothing(_lines_with(SILENCED))


def test_every_module_says_what_it_is() -> None:
    _nothing([str(path) for path, tree in modules(*PACKAGES, "tests") if tree.body and not ast.get_docstring(tree)])


def test_every_public_function_has_a_docstring() -> None:
    _nothing(
        [
            f"{path}:{function.lineno}: {function.name}"
            for path, tree in modules(*PACKAGES)
            for function in _undocumented(tree)
        ]
    )


def test_the_library_prints_only_when_run_as_a_program() -> None:
    found = []
    for path, tree in modules("shardkv"):
        if path.name == "__main__.py":
            continue
        guarded = [node for node in tree.body if isinstance(node, ast.If) and "__name__" in ast.unparse(node.test)]
        allowed = {id(inner) for block in guarded for inner in ast.walk(block)}
        found += [
            f"{path}:{node.lineno}"
            for node in ast.walk(tree)
            if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id == "print"
            and id(node) not in allowed
        ]
    _nothing(found)


def test_the_name_of_every_test_is_a_sentence() -> None:
    _nothing(
        [
            f"{path}: {node.name}"
            for path, tree in modules("tests")
            for node in ast.walk(tree)
            if isinstance(node, Function) and node.name.startswith("test_") and len(node.name.split("_")) < 4
        ]
    )


def test_every_folder_of_a_package_is_a_package() -> None:
    folders = {path.parent for path, _ in modules(*PACKAGES)}
    _nothing([str(folder) for folder in sorted(folders) if not (ROOT / folder / "__init__.py").exists()])


def test_the_patterns_find_what_they_forbid() -> None:
    # A pattern that can't match would pass forever.
    assert OF_ONE_MACHINE.search("open('/" + "work/x')")
    assert SILENCED.search("x  # type: ign" + "ore[misc]")
    assert UNFINISHED.search("# TO" + "DO later")
    assert REGISTRY.search("https://py" + "pi.org/simple")
