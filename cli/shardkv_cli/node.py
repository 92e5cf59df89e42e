"""``shardkv-node``: one node, with redis-server's command line; ``shardkv-node launch`` starts several on this host."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from glob import glob
from pathlib import Path

from shardkv_node.app import StartFault, run

from shardkv.config import ConfigFault, cmdline, fault_line

from .node_options import help_text, version_line


def main(argv: Sequence[str] | None = None) -> None:
    """Entry point of ``shardkv-node``. Ends with exit code 0 after a clean stop and 1 when the node cannot start."""
    words = list(sys.argv[1:] if argv is None else argv)
    if words and words[0] == "launch":
        from .launch import launch

        launch.main(words[1:], prog_name="shardkv-node launch")
        return
    sys.exit(start(words))


def start(words: Sequence[str]) -> int:
    """Run one node until it is told to stop; its exit code."""
    try:
        line = cmdline.parse(words)
        if line.show_version:
            print(version_line())
            return 0
        if line.show_help:
            print(help_text())
            return 0
        return run(line, read_file=read_files, read_stdin=sys.stdin.read)
    except ConfigFault as fault:
        print(f"shardkv-node: {fault_line(fault)}", file=sys.stderr)
    except StartFault as fault:
        print(f"shardkv-node: {fault}", file=sys.stderr)
    except KeyboardInterrupt:
        return 130
    return 1


def read_files(pattern: str) -> list[tuple[str, str]]:
    """The files that a name or glob stands for, with their texts. Raises OSError; a glob may match nothing."""
    if any(mark in pattern for mark in "*?["):
        names = sorted(glob(pattern))
    else:
        names = [pattern]
    return [(name, Path(name).read_text(encoding="utf-8", errors="surrogateescape")) for name in names]


if __name__ == "__main__":
    main()
