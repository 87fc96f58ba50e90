"""Publishes versions in `<models>/<name>/<version>/`. A version appears, and disappears, atomically.

A server polls this folder for children whose name is a number. An export therefore writes under another name and
renames the finished version, which is a single step for every reader.
"""

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from file_lock import file_lock
from model_export import record
from model_export.errors import DiskFull, ModelsUnwritable
from model_export.record import ExportRecord

UNFINISHED_PREFIX: Final = ".exporting-"
LOCK_FILE: Final = ".exporting.lock"


@dataclass(frozen=True, slots=True)
class Version:
    number: int
    path: Path

    @property
    def record(self) -> ExportRecord | None:
        return record.read(self.path)

    @property
    def is_complete(self) -> bool:
        """Whether all files that a server reads exist."""
        made = self.record
        return made is not None and all((self.path / file).is_file() for file in made.files)


class ModelFolder:
    """The folder of one model. Callers hold `lock` while they change it."""

    def __init__(self, models_dir: Path, model: str) -> None:
        self.path = models_dir / model
        self.model = model

    def versions(self) -> list[Version]:
        """Oldest first. As in TensorFlow Serving, versions are folders whose names are numbers, even `000123`."""
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
        """Exclude other exports. If one holds the lock, call `waiting` once and block until the lock is free."""
        with ExitStack() as stack:
            with self._write_errors():
                self.path.mkdir(parents=True, exist_ok=True)
                stack.enter_context(file_lock(self.path / LOCK_FILE, waiting=waiting))
            self._remove_leftovers()
            yield

    def publish(self, write: Callable[[Path], None]) -> Version:
        """Call `write` with a new folder, then rename the folder to the next number. If an error occurs, remove it.

        Raises DiskFull, ModelsUnwritable and the other exceptions of `write`.
        """
        unfinished = self._unfinished()
        try:
            with self._write_errors():
                unfinished.mkdir()
                write(unfinished)
                _sync(unfinished)
                return self._rename_to_next_number(unfinished)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)

    def prune(self, keep: int, *, include_foreign: bool) -> list[Version]:
        """Remove all but the `keep` newest versions and return the removed ones.

        Versions that this exporter did not write are neither counted nor removed, unless `include_foreign`.
        """
        candidates = [version for version in self.versions() if include_foreign or self._is_own(version)]
        removed = candidates[:-keep]
        for version in removed:
            renamed = self._unfinished()
            with self._write_errors():
                version.path.rename(renamed)  # so that no server finds half a version
                shutil.rmtree(renamed)
        return removed

    def _is_own(self, version: Version) -> bool:
        return version.record is not None and version.record.model == self.model

    def _unfinished(self) -> Path:
        return self.path / f"{UNFINISHED_PREFIX}{os.getpid()}"

    def _remove_leftovers(self) -> None:
        """Remove the unfinished folders of exports that were killed: a running export would hold the lock."""
        for leftover in self.path.glob(f"{UNFINISHED_PREFIX}*"):
            shutil.rmtree(leftover, ignore_errors=True)

    def _rename_to_next_number(self, finished: Path) -> Version:
        while True:
            newest = self.newest()
            number = newest.number + 1 if newest else 1
            try:
                finished.rename(self.path / str(number))
            except OSError as error:
                if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                    raise
                continue  # another program, which does not use the lock, took the number
            _sync_folder(self.path)
            return Version(number, self.path / str(number))

    @contextmanager
    def _write_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise DiskFull(f"no space left for {self.path}; free some or choose another --models-dir") from error
            raise ModelsUnwritable(
                f"can't write to {self.path} ({error.strerror or error}); "
                "make it writable or choose another --models-dir"
            ) from error


def _sync(folder: Path) -> None:
    """Flush `folder` to disk before it is renamed, so that a power cut leaves a whole version or none."""
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
