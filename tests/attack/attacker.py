"""A process that runs one attack until SIGTERM: `python -m tests.attack.attacker NAME PORT REPORT`.

It prints a line when the attack starts, and writes the number of each response to the file REPORT when it ends.
"""

import asyncio
import contextlib
import json
import resource
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tests.attack.attack import Attack, Shot, Target
from tests.attack.attacks import by_name

STARTED: Final = "the attack has started"
RETRY_S: Final = 0.2


async def client(attack: Attack, shot: Shot, target: Target) -> None:
    while True:
        try:
            await shot(target)
        except OSError:  # the proxy is down, or refuses connections
            target.responses["closed"] += 1
            await asyncio.sleep(RETRY_S)
        except asyncio.IncompleteReadError:
            target.responses["closed"] += 1
        await asyncio.sleep(attack.pause_s)


def cancel_current_task() -> Callable[[], object]:
    task = asyncio.current_task()
    assert task
    return task.cancel


async def run(attack: Attack, target: Target) -> None:
    shot = attack.prepare()
    with contextlib.suppress(asyncio.CancelledError):
        async with asyncio.TaskGroup() as clients:  # a client that fails ends the process with its traceback
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, cancel_current_task())
            for _ in range(attack.clients):
                clients.create_task(client(attack, shot, target))
            print(STARTED, flush=True)


def main() -> None:
    name, port, report = sys.argv[1:]
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    target = Target(int(port))
    asyncio.run(run(by_name(name), target))
    Path(report).write_text(json.dumps(target.responses))


if __name__ == "__main__":
    main()
