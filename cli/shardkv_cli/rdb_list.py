"""``shardkv-admin rdb``: the keys of a snapshot, with types and sizes, without a server."""

from __future__ import annotations

import base64
import heapq
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import click

from shardkv.config import Config
from shardkv.persist.rdb.events import Select
from shardkv.persist.rdb.faults import RdbFault
from shardkv.persist.rdb.payload import dump
from shardkv.values.globs import glob
from shardkv.values.kinds import encoding, type_name
from shardkv.values.strings import string_bytes

from .exits import Failure
from .rdb_walk import Walk, readable

Row: TypeAlias = dict[str, Any]
#: Behind a payload of DUMP stand ten bytes that are no part of the value.
_FOOTER = 10


def rows(walk: Walk, wanted: Callable[[int, bytes], bool]) -> Iterator[Row]:
    """A row for each key that is wanted, in the order of the file. Raises Failure and RdbFault."""
    config = Config()
    config.set([(b"rdbcompression", b"no")])
    database = 0
    for event in walk:
        if isinstance(event, Select):
            database = event.index
        elif isinstance(event, tuple):
            key, value, expires_at, _, _ = event
            if wanted(database, key):
                string = isinstance(value, bytes | int | bytearray)
                yield {
                    "db": database,
                    "key": key,
                    "type": type_name(value),
                    "encoding": encoding(value),
                    "elements": len(string_bytes(value)) if string else len(value),
                    "bytes": len(dump(value, config)) - _FOOTER,
                    "expires_at": expires_at,
                }


def as_json_line(row: Row) -> str:
    """A row as one line of JSON. A key that is no UTF-8 stands in ``key_base64``."""
    shown = dict(row)
    try:
        shown["key"] = row["key"].decode()
    except UnicodeDecodeError:
        shown["key"] = None
        shown["key_base64"] = base64.b64encode(row["key"]).decode()
    return json.dumps(shown)


def as_text_line(row: Row) -> str:
    """A row as one line for people."""
    expires = "-" if row["expires_at"] is None else str(row["expires_at"])
    return (
        f"{row['db']:>3} {row['type']:<7} {row['encoding']:<11} {row['elements']:>9} {row['bytes']:>11} "
        f"{expires:>14} {readable(row['key'])}"
    )


HEADING = f"{'db':>3} {'type':<7} {'encoding':<11} {'elements':>9} {'bytes':>11} {'expires at, ms':>14} key"


@click.command("rdb")
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE")
@click.option("--db", type=click.IntRange(0), help="Only keys of this database.")
@click.option("--match", metavar="PATTERN", help="Only keys that match this glob-style pattern.")
@click.option("--largest", type=click.IntRange(1), metavar="N", help="Only the N largest values, the largest first.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line on stdout, for programs.")
def rdb(file: Path, db: int | None, match: str | None, largest: int | None, as_json: bool) -> None:
    """List the keys of an RDB file: database, type, encoding, elements (of a string: bytes), bytes that the value takes
    uncompressed, expiry, name."""
    matches = None if match is None else glob(match.encode("utf-8", "surrogateescape"))

    def wanted(database: int, key: bytes) -> bool:
        return (db is None or database == db) and (matches is None or matches(key))

    told = as_json_line if as_json else as_text_line
    try:
        found = rows(Walk(file), wanted)
        if largest is not None:
            found = iter(heapq.nlargest(largest, found, key=lambda row: row["bytes"]))
        if not as_json:
            click.echo(HEADING)
        for row in found:
            click.echo(told(row))
    except RdbFault as fault:
        raise Failure(f"{file} is damaged at byte {fault.offset}: {fault.reason}") from None
