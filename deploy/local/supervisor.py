"""supervisord, which a closed terminal ends, and which writes what its processes say to its own output.

`python -m deploy.local.supervisor -c CONFIG`. Left to itself it would start everything anew on SIGHUP, and would open
its standard output once more for each process, which can't be done with a socket or another user's terminal.
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
        end = self.options.signal_receiver.receive
        signal.signal(signal.SIGHUP, lambda *_: end(signal.SIGTERM, None))
        events.subscribe(events.ProcessLogStdoutEvent, lambda event: say(event.data))
        super().runforever()


def say(data: bytes, to: int = 1) -> None:
    """Write all of it, or nothing more where nobody reads any longer: what runs goes on, as under `make run | head`."""
    while data:
        try:
            data = data[os.write(to, data) :]
        except BlockingIOError:
            select.select([], [to], [])
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
