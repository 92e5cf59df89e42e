"""The secret that the nodes of one launcher share: made once, readable by its owner only, never on a command line."""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path

from .exits import Failure

SECRET_FILE = "cluster-secret"
SECRET_BYTES = 32


def cluster_secret(folder: Path) -> str:
    """The secret of ``folder``, made if there is none. Raises Failure if anybody else could have read it."""
    path = folder / SECRET_FILE
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return read_secret(path)
    except OSError as error:
        raise Failure(f"{path} cannot be made: {error.strerror}") from None
    made = secrets.token_hex(SECRET_BYTES)
    with os.fdopen(handle, "w") as file:
        file.write(made + "\n")
    return made


def read_secret(path: Path) -> str:
    """An existing secret; raises Failure unless it is one word in a file that nobody but us may touch."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError as error:
        raise Failure(f"{path} cannot be read: {error.strerror}") from None
    with os.fdopen(handle) as file:
        facts = os.fstat(file.fileno())
        mode = stat.S_IMODE(facts.st_mode)
        if facts.st_uid != os.geteuid() or not stat.S_ISREG(facts.st_mode):
            raise Failure(f"{path} is not a file of yours; the cluster secret must be")
        if mode & 0o077:
            raise Failure(f"{path} has mode {mode:04o}, so others may have read the cluster secret; make it 0600")
        words = file.read().split()
    if len(words) != 1 or not words[0].isalnum():
        raise Failure(f"{path} does not hold a cluster secret (one word of letters and digits)")
    return words[0]


def write_private(path: Path, text: str) -> None:
    """Writes a file that only its owner can read, in one step: nobody ever sees half of it, or it with a wider mode."""
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    fresh.replace(path)
