"""supervisord with two changes: SIGHUP stops it, and it copies the output of its processes to its own.

Usage: `python -m deploy.local.supervisor -c CONFIG`. Unmodified, supervisord restarts everything on SIGHUP, which
processes receive when their terminal is closed. It also reopens its standard output for each process, which fails for a
socket or another user's terminal.
"""

import os
import select
import signal
import sys

from supervisor import events, supervisord
from supervisor.medusa import asyncore_25 as asyncore
from supervisor.options import ServerOptions


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
    try:
        Supervisor(options).main()
    except asyncore.ExitNow:
        return


if __name__ == "__main__":
    main()
