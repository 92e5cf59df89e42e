"""What ``shardkv-node --help`` and ``--version`` say: the table of options, told to people."""

from __future__ import annotations

import platform
from importlib import metadata
from textwrap import wrap
from typing import Any, Final

from shardkv.config import Config, Option
from shardkv.config.reference import groups

_USAGE: Final = """\
Usage: shardkv-node [FILE] [-] [--OPTION VALUE ...] ...
       shardkv-node launch [--nodes N] [--port P] [--dir DIR] [--OPTION VALUE ...]
       shardkv-node -v | --version
       shardkv-node -h | --help

Starts one node, or with launch several that are watched over. FILE has the grammar of
redis.conf; - reads more of it from standard input; options come after both and win.

Examples: shardkv-node --port 7000 --cluster-enabled yes
          shardkv-node /etc/shardkv.conf --loglevel debug --save ""
          echo 'maxclients 100' | shardkv-node -
"""
_INDENT: Final = "      "


def help_text(width: int = 100) -> str:
    """The usage and every option with its explanation, by group; explanations are at most ``width`` columns wide."""
    config = Config()
    parts = [_USAGE]
    for title, options in groups():
        parts.append(f"\n{title[0].upper()}{title[1:]}\n")
        parts += [_entry(option, config, width) for option in options if not option.hidden]
    return "".join(parts)


def version_line() -> str:
    """The one line of ``--version``."""
    try:
        version = metadata.version("shardkv")
    except metadata.PackageNotFoundError:
        version = "unknown"  # run from a bare checkout
    return f"shardkv-node v={version} (Redis 7.4 compatible) python={platform.python_version()}"


def _entry(option: Option[Any], config: Config, width: int) -> str:
    default = config.shown(option)
    takes = option.kind.label.replace("\\|", "|")
    head = f"  --{option.name} ({takes})" + (f" [{default}]" if default else "")
    if option.file_only:
        head = f"  {option.name} ({takes})"
    sentences = [option.doc]
    if option.aliases:
        sentences.append(f"Also: {', '.join(option.aliases)}.")
    if option.effect:
        sentences.append(f"({option.effect[0].upper()}{option.effect[1:]}.)")
    body = wrap(" ".join(sentences), max(width, 40), initial_indent=_INDENT, subsequent_indent=_INDENT)
    return "\n".join([head, *body]) + "\n"
