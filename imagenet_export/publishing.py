"""`<models>/<name>/<version>/`: a version appears whole or not at all, and goes the same way.

A server polls this folder for children whose name is a number. So a version is written under another name and then
renamed, which is one step to everyone who looks.
"""

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from file_lock import file_lock
from imagenet_export import record
from imagenet_export.errors import DiskFull, ModelsUnwritable
from imagenet_export.record import ExportRecord

SERVED_FILES = (
    "saved_model.pb",
    "assets.extra/openvino/model.xml",
    "assets.extra/openvino/model.bin",
    "assets.extra/openvino/signatures.pb",
)
_UNFINISHED = ".exporting-"
_LOCK = ".exporting.lock"


@dataclass(frozen=True)
class Version:
    number: int
    path: Path

    @property
    def record(self) -> ExportRecord | None:
        return record.read(self.path)

    @property
    def complete(self) -> bool:
        """Whether all files are there that a server reads."""
        return all((self.path / file).is_file() for file in SERVED_FILES)


class ModelFolder:
    """The folder of one model. What changes it is done while it holds the lock."""

    def __init__(self, models_dir: Path, model: str) -> None:
        self.path = models_dir / model
        self.model = model

    def versions(self) -> list[Version]:
        """Oldest first. A version is a folder whose name is a number, `000123` too, as TensorFlow Serving sees it."""
        try:
            children = list(self.path.iterdir())
        except (FileNotFoundError, NotADirectoryError):
            return []
        numbered = (Version(int(child.name), child) for child in children if child.name.isdecimal() and child.is_dir())
        return sorted(numbered, key=lambda version: version.number)

    def newest(self) -> Version | None:
        versions = self.versions()
        return versions[-1] if versions else None

    @contextmanager
    def lock(self, waiting: Callable[[], None]) -> Iterator[None]:
        """Exclude other exporters. If one holds the lock, call `waiting` once and block until the lock is free."""
        with ExitStack() as stack:
            with self._write_errors():
                self.path.mkdir(parents=True, exist_ok=True)
                stack.enter_context(file_lock(self.path / _LOCK, waiting=waiting))
            self._remove_leftovers()
            yield

    def publish(self, write: Callable[[Path], None]) -> Version:
        """Let `write` fill a folder and give it the next number. Whatever is raised, nothing stays behind.

        Raises what `write` raises, DiskFull, ModelsUnwritable.
        """
        unfinished = self._unfinished()
        try:
            with self._write_errors():
                unfinished.mkdir()
                write(unfinished)
                _sync(unfinished)
                return self._number(unfinished)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)

    def prune(self, keep: int, *, anyones: bool) -> list[Version]:
        """Remove all but the `keep` newest versions this exporter made, or that anyone made. Returns the removed."""
        candidates = [version for version in self.versions() if anyones or self._made_here(version)]
        removed = candidates[:-keep]
        for version in removed:
            unwanted = self._unfinished()
            with self._write_errors():
                version.path.rename(unwanted)  # a server must not find half of it
                shutil.rmtree(unwanted)
        return removed

    def _made_here(self, version: Version) -> bool:
        return version.record is not None and version.record.model == self.model

    def _unfinished(self) -> Path:
        return self.path / f"{_UNFINISHED}{os.getpid()}"

    def _remove_leftovers(self) -> None:
        """While locked, whatever is unfinished belongs to an exporter that died."""
        for leftover in self.path.glob(f"{_UNFINISHED}*"):
            shutil.rmtree(leftover, ignore_errors=True)

    def _number(self, finished: Path) -> Version:
        while True:
            newest = self.newest()
            number = newest.number + 1 if newest else 1
            try:
                finished.rename(self.path / str(number))
            except OSError as error:
                if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                    raise
                continue  # someone without our lock took the number
            _sync_folder(self.path)
            return Version(number, self.path / str(number))

    @contextmanager
    def _write_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise DiskFull(f"no space left for {self.path}; free some or name another --models-dir") from error
            raise ModelsUnwritable(
                f"can't write to {self.path} ({error.strerror or error}); make it writable or name another --models-dir"
            ) from error


def _sync(folder: Path) -> None:
    """Have it on the disk before it is renamed: after a power cut a version is still whole or not there."""
    for parent, _, files in os.walk(folder):
        for name in files:
            with (Path(parent) / name).open("rb") as file:
                os.fsync(file.fileno())
        _sync_folder(Path(parent))


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
