"""Exclusive locks on files. The kernel releases a lock when the process that holds it ends, even if it is killed."""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def file_lock(path: Path, *, waiting: Callable[[], None]) -> Iterator[None]:
    """Hold the lock on `path`, which is created if missing.

    If the lock is held elsewhere, `waiting` is called once and the caller blocks until the lock is free.
    """
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def hold_until_exit(path: Path) -> None:
    """Hold the lock on `path`, which is created if missing, until this process ends. The lock survives `exec`.

    Raises BlockingIOError if another process holds the lock.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise
    os.set_inheritable(descriptor, True)
