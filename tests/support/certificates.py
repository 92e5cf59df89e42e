"""Certificates for tests: an authority of the test's own, and what it vouches for."""

from __future__ import annotations

import ssl
from pathlib import Path

import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from .processes import OptionValue


class Authority:
    """An authority with its files in ``folder``: ``ca.pem``, and for each issued name ``NAME.pem`` and ``NAME.key``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._authority = trustme.CA()
        self.file = folder / "ca.pem"
        self._authority.cert_pem.write_to_path(self.file)

    def issue(self, name: str, password: str = "") -> tuple[Path, Path]:
        """A new certificate for this host under a name, and its key, which may have a password."""
        made = self._authority.issue_cert("localhost", "127.0.0.1", common_name=name)
        certificate, key = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        certificate.write_bytes(b"".join(part.bytes() for part in made.cert_chain_pems))
        data = made.private_key_pem.bytes()
        if password:
            loaded = load_pem_private_key(data, None)
            data = loaded.private_bytes(
                Encoding.PEM, PrivateFormat.TraditionalOpenSSL, BestAvailableEncryption(password.encode())
            )
        key.write_bytes(data)
        return certificate, key

    def options(self, name: str = "node", **more: OptionValue) -> dict[str, OptionValue]:
        """Options of a node that shows a certificate of this name."""
        certificate, key = self.issue(name)
        files = {"tls_cert_file": str(certificate), "tls_key_file": str(key), "tls_ca_cert_file": str(self.file)}
        return files | more

    def client(self, name: str | None = "client") -> ssl.SSLContext:
        """What a client needs that trusts this authority; with a certificate of its own unless ``name`` is None."""
        context = ssl.create_default_context(cafile=self.file)
        if name is not None:
            context.load_cert_chain(*self.issue(name))
        return context
