"""What the process list shows of the node (``set-proc-title``, ``proc-title-template``), and of its saving children."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from setproctitle import setproctitle

from shardkv.config import Config
from shardkv.config.templates import filled

PROGRAM: Final = "shardkv-node"
#: The names of children by their kinds.
_CHILDREN: Final = {"rdb": "shardkv-rdb-bgsave", "aof": "shardkv-aof-rewrite"}


class ProcessTitle:
    """The title, kept true as options change."""

    def __init__(self, config: Config, config_file: Path | None) -> None:
        self._config = config
        self._config_file = config_file

    def show(self, title: str = PROGRAM) -> None:
        """Show this process by a name, as the template has it."""
        if self._config.set_proc_title:
            setproctitle(filled(self._config.proc_title_template, self._parts(title)).rstrip())

    def show_child(self, kind: str) -> None:
        """The same in a child that was forked for something."""
        self.show(_CHILDREN.get(kind, f"shardkv-{kind}"))

    def options_changed(self, changed: frozenset[str]) -> None:
        """Obey the options as they are now."""
        if changed & {"proc-title-template", "port", "tls-port", "bind"}:
            self.show()

    def _parts(self, title: str) -> dict[str, str]:
        config = self._config
        port = config.port or config.tls_port
        address = config.bind[0] if config.bind else "*"
        return {
            "title": title,
            "listen-addr": f"{address}:{port}" if port else config.unixsocket,
            "server-mode": "[cluster]" if config.cluster_enabled else "",
            "port": str(config.port),
            "tls-port": str(config.tls_port),
            "unixsocket": config.unixsocket,
            "config-file": str(self._config_file or "-"),
        }
