"""The folder of the log: its manifest on disk, and the files that the manifest names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from shardkv.config.quoting import to_bytes
from shardkv.persist.aof import manifest as manifests
from shardkv.persist.aof.manifest import Manifest, ManifestFault, Part

from .disk import Disk
from .loading import LoadFault

#: Files that a crash may have left behind: they belong to nothing.
_LEFTOVERS: Final = ("temp-rewriteaof-*.aof", "temp-*.incr", "*.manifest.tmp-*")


class AofFolder:
    """The files of one log. ``manifest`` is what is on disk. ``log(level, text)`` writes a line."""

    def __init__(self, folder: Path, name: str, disk: Disk, log: Callable[[str, str], None]) -> None:
        self.folder = folder
        self.manifest = Manifest(name)
        self._disk = disk
        self._log = log

    # ---- at the start

    def read(self) -> None:
        """Read the manifest, if there is one, and take in the single file of an older Redis. Raises LoadFault."""
        path = self.path(self.manifest.file_name)
        old_file = self.folder.parent / self.manifest.name
        try:
            data = path.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            if old_file.is_file():
                self._adopt(old_file)
            return
        except OSError as error:
            raise LoadFault(f"The AOF manifest {path} cannot be read: {error.strerror}") from error
        try:
            self.manifest = manifests.read(data, self.manifest.name)
        except ManifestFault as fault:
            raise LoadFault(f"The AOF manifest {path} cannot be understood: {fault}") from None
        unfinished = self.manifest.parts == Manifest(self.manifest.name).adopting().parts
        if unfinished and old_file.is_file() and not self.path(self.manifest.name).exists():
            self._adopt(old_file)  # that was begun by a node that did not come to its end

    def _adopt(self, old_file: Path) -> None:
        """Make the single file of a Redis before 7 the base of a log in a folder. Raises LoadFault."""
        try:
            self._disk.make_folder(self.folder)
            self.store(Manifest(self.manifest.name).adopting())
            self._disk.rename(old_file, self.path(self.manifest.name))
        except OSError as error:
            raise LoadFault(f"The AOF file {old_file} cannot be moved to {self.folder}: {error.strerror}") from error
        self._log("notice", f"Successfully migrated an old-style AOF configuration (move file {old_file.name}).")

    def tidy(self) -> None:
        """Delete what a crash has left behind, and what is no longer needed."""
        for pattern in _LEFTOVERS:
            for path in self.folder.glob(pattern):
                self._delete(path)

    # ---- the files

    def path(self, part: Part | str) -> Path:
        """Where a file lies."""
        return self.folder / (part if isinstance(part, str) else part.name)

    def size(self, part: Part) -> int:
        """Its bytes, 0 if it is not there."""
        try:
            return self.path(part).stat().st_size
        except OSError:
            return 0

    @property
    def total_size(self) -> int:
        """Bytes of all files that would be loaded."""
        return sum(map(self.size, self.manifest.parts))

    def store(self, manifest: Manifest) -> None:
        """Make this the manifest; what it names must be on disk. Raises OSError, and then the old one stands."""
        self._disk.make_folder(self.folder)
        self._disk.replace(self.path(manifest.file_name), to_bytes(str(manifest)))
        self.manifest = manifest

    def keep_base_only(self, manifest: Manifest) -> None:
        """Make a manifest without a file to append to the one on disk, and delete what is no longer needed at once."""
        outdated = manifest.history
        self.store(manifest.without_history())
        for part in outdated:
            self._delete(self.path(part))

    def drop_history(self) -> None:
        """Delete what is no longer needed. What cannot be deleted is tried again the next time."""
        outdated = self.manifest.history
        if not outdated:
            return
        for part in outdated:
            self._log("notice", f"Removing the history file {part.name} in the background")
            self._delete(self.path(part))
        try:
            self.store(self.manifest.without_history())
        except OSError as error:
            self._log("warning", f"Writing the AOF manifest failed: {error.strerror}")

    def _delete(self, path: Path) -> None:
        try:
            self._disk.delete(path)
        except OSError as error:
            self._log("warning", f"Could not remove {path}: {error.strerror}")
