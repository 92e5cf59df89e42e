"""``shardkv-admin``: operates clusters, and looks into files. One verb, one module; this one only gathers them."""

from __future__ import annotations

import click

from .check import check
from .check_rdb import check_rdb
from .create import create_cluster
from .rdb_list import rdb
from .status import status

SETTINGS = {"help_option_names": ["-h", "--help"], "auto_envvar_prefix": "SHARDKV"}


@click.group(context_settings=SETTINGS)
@click.version_option(None, "--version", package_name="shardkv", prog_name="shardkv-admin")
def main() -> None:
    """Make, check and watch clusters of shardkv (or Redis) nodes; look into their files.

    Exit codes: 0 done and all well, 1 refused, failed or problems found, 2 wrong command line.
    """


for verb in (create_cluster, check, status, check_rdb, rdb):
    main.add_command(verb)

if __name__ == "__main__":
    main(prog_name="shardkv-admin")
