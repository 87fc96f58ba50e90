"""`make chaos`: inject each fault again and again, print the table, and fail where the promise was broken."""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from service_settings import ROOT
from tests.chaos.campaign import Campaign, Outcome
from tests.chaos.fault import Fault
from tests.chaos.faults import all_faults
from tests.chaos.service import serving
from tests.chaos.small_models import exported
from tests.chaos.table import table
from tests.chaos.traffic import small_pictures
from tf_serving_client import read_labels


async def wage_all(faults: Sequence[Fault], times: int, lanes: int, directory: Path) -> Sequence[Outcome]:
    """Each lane has a service of its own, and takes the next fault when it is done with one."""
    pictures = small_pictures(read_labels(ROOT / "data" / "imagenet_labels.json"))
    models = exported()
    left = list(enumerate(faults))
    outcomes: dict[int, Outcome] = {}

    async def lane(number: int) -> None:
        async with serving(directory / f"lane-{number}", models) as service:
            while left:
                place, fault = left.pop(0)
                began = time.monotonic()
                outcomes[place] = await Campaign(service, fault, pictures).wage(times)
                report(outcomes[place], time.monotonic() - began)

    async with asyncio.TaskGroup() as group:
        for number in range(lanes):
            group.create_task(lane(number))
    return [outcomes[place] for place in range(len(faults))]


def report(outcome: Outcome, seconds: float) -> None:
    without = ", ".join(f"{what}: {count}" for what, count in outcome.without_an_id.items() if count)
    say(f"{'ok ' if outcome.is_clean else 'NOT'} {outcome.fault}: {outcome.injected} times, {outcome.accepted} accepted"
        f", {seconds:.0f} s; other answers: {without or 'none'}")  # fmt: skip
    for complaint in outcome.all_complaints[:20]:
        say(f"    × {complaint}")


def say(line: str) -> None:
    print(f"make chaos: {line}", flush=True)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--times", type=int, default=20, help="injections of each fault")
    parser.add_argument("--outage", type=float, default=30, help="seconds that Redis is out of reach")
    parser.add_argument("--lanes", type=int, default=2, help="services side by side, each with a fault of its own")
    parser.add_argument("--only", default="", help="faults with this in their name")
    return parser.parse_args()


def main() -> None:
    told = arguments()
    faults = [fault for fault in all_faults(timedelta(seconds=told.outage)) if told.only in fault.name]
    with tempfile.TemporaryDirectory(prefix="chaos-") as directory:
        outcomes = asyncio.run(wage_all(faults, told.times, told.lanes, Path(directory)))
    print(table(outcomes))
    sys.exit(not all(outcome.is_clean for outcome in outcomes))


if __name__ == "__main__":
    main()
