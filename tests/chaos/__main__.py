"""`make chaos`: inject each fault again and again, print the table, and fail where the promise was broken."""

import argparse
import asyncio
import sys
import tempfile
from datetime import timedelta
from pathlib import Path

from tests.chaos.campaign import Outcome
from tests.chaos.campaigns import wage_all
from tests.chaos.faults import all_faults
from tests.chaos.table import table


def report(outcome: Outcome) -> None:
    median, longest = outcome.recovery
    without = ", ".join(f"{what}: {count}" for what, count in outcome.without_an_id.items() if count)
    say(f"{'ok ' if outcome.is_clean else 'NOT'} {outcome.fault}: {outcome.injected} times in {outcome.took_s:.0f} s")
    say(f"    {outcome.accepted} accepted, {median:.1f} s to recover, {longest:.1f} s at most")
    say(f"    other answers: {without or 'none'}")
    for complaint in outcome.all_complaints[:20]:
        say(f"    × {complaint}")


def say(line: str) -> None:
    print(f"make chaos: {line}", flush=True)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--times", type=int, default=20, help="injections of each fault")
    parser.add_argument("--outage", type=float, default=30, help="seconds that Redis is out of reach")
    parser.add_argument("--lanes", type=int, default=3, help="services side by side, each with a fault of its own")
    parser.add_argument("--only", default="", help="faults with this in their name")
    return parser.parse_args()


def main() -> None:
    told = arguments()
    faults = [fault for fault in all_faults(timedelta(seconds=told.outage)) if told.only in fault.name]
    with tempfile.TemporaryDirectory(prefix="chaos-") as directory:
        outcomes = asyncio.run(
            wage_all(faults, times=told.times, lanes=told.lanes, directory=Path(directory), report=report)
        )
    print(table(outcomes))
    sys.exit(not all(outcome.is_clean for outcome in outcomes))


if __name__ == "__main__":
    main()
