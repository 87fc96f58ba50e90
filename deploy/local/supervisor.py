"""supervisord with two changes: SIGHUP stops it, and it copies the output of its processes to its own.

Usage: `python -m deploy.local.supervisor -c CONFIG`. Unmodified, supervisord restarts everything on SIGHUP, which
processes receive when their terminal is closed. It also reopens its standard output for each process, which fails for a
socket or another user's terminal.
"""

import os
import select
import signal
import sys
from contextlib import suppress
from typing import Final

from supervisor import events, supervisord
from supervisor.medusa import asyncore_25 as asyncore
from supervisor.options import ServerOptions

DATA_DIR: Final = "DATA_DIR"
"""Set by `make run`."""


class Supervisor(supervisord.Supervisor):  # type: ignore[misc] # supervisor has no annotations
    def runforever(self) -> None:
        receive = self.options.signal_receiver.receive
        signal.signal(signal.SIGHUP, lambda *_: receive(signal.SIGTERM, None))
        events.subscribe(events.ProcessLogStdoutEvent, lambda event: write_all(event.data))
        super().runforever()


def write_all(data: bytes, descriptor: int = 1) -> None:
    """Write `data` to a file descriptor. Drop it if no reader is left, as after `head` exits in `make run | head`."""
    while data:
        try:
            data = data[os.write(descriptor, data) :]
        except BlockingIOError:
            select.select([], [descriptor], [])
        except OSError:
            return


def main() -> None:
    options = ServerOptions()
    options.realize(sys.argv[1:])
    options.first = True
    options.test = False
    with suppress(asyncore.ExitNow):
        Supervisor(options).main()
    if DATA_DIR in os.environ:
        _report_where_the_jobs_are()


def _report_where_the_jobs_are() -> None:
    # Imported at the end, because supervisord would hold their memory all the time.
    from deploy.local.report import configure, report
    from deploy.local.settings import LocalSettings

    settings = LocalSettings.from_environment("make run")
    configure(settings)
    path = settings.data_dir / "redis"
    text = f"\nmake run: stopped. The jobs and results are in {path}: the next `make run` with this "
    text += "DATA_DIR continues with them"
    with suppress(BrokenPipeError):
        report(settings, text, "service stopped", jobs=str(path))


if __name__ == "__main__":
    main()
