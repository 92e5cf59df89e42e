"""``shardkv-admin``: operates clusters, and looks into files. One verb, one module; this one only gathers them."""

from __future__ import annotations

import click

from .backup import backup, restore
from .calling import call, import_keys
from .check import check
from .check_aof import check_aof
from .check_rdb import check_rdb
from .create import create_cluster
from .fix import fix
from .members import add_node, failover, remove_node, replicate
from .rdb_list import rdb
from .reshard import rebalance_command, reshard_command
from .status import status

SETTINGS = {"help_option_names": ["-h", "--help"], "auto_envvar_prefix": "SHARDKV"}


@click.group(context_settings=SETTINGS)
@click.version_option(None, "--version", package_name="shardkv", prog_name="shardkv-admin")
def main() -> None:
    """Make, check, watch and change clusters of shardkv (or Redis) nodes; look into their files.

    Exit codes: 0 done and all well, 1 refused, failed or problems found, 2 wrong command line.
    """


VERBS = (
    create_cluster,
    status,
    check,
    fix,
    add_node,
    remove_node,
    reshard_command,
    rebalance_command,
    failover,
    replicate,
    call,
    backup,
    restore,
    import_keys,
    check_aof,
    check_rdb,
    rdb,
)

for verb in VERBS:
    main.add_command(verb)

if __name__ == "__main__":
    main(prog_name="shardkv-admin")
