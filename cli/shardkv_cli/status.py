"""``shardkv-admin status``: the nodes of a cluster in one small table."""

from __future__ import annotations

import click

from .access import Access, access_options, json_option
from .address import Address, address_word
from .exits import run
from .render import emit, node_document, nodes_table, show, told_as_json
from .survey import survey


@click.command("status")
@click.argument("address", type=address_word, metavar="HOST:PORT")
@access_options
@json_option
def status(address: Address, access: Access, as_json: bool) -> None:
    """Show the nodes of the cluster of HOST:PORT: roles, slots, keys, state."""
    with told_as_json(as_json, command="status", address=str(address)):
        seen = run(lambda: survey(address, access))
    if as_json:
        emit({"command": "status", "address": str(address), "nodes": [node_document(node) for node in seen.nodes]})
    else:
        show(nodes_table(seen.nodes))
