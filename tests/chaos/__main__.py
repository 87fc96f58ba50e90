"""`make chaos`: inject each fault again and again, overload it, feed it rubbish; fail where the promise was broken."""

import argparse
import asyncio
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from harness.models import export_both
from harness.process import PYTHON, ROOT
from tests.chaos import clock_faults
from tests.chaos.campaign import Outcome
from tests.chaos.campaigns import all_small_pictures, load_of_photographs, wage_all
from tests.chaos.faults import all_faults
from tests.chaos.image_fuzz import post_broken_images
from tests.chaos.overload import complaints, describe, overload, sizes
from tests.chaos.service import serving
from tests.chaos.small_models import exported
from tests.chaos.table import table
from tests.chaos.traffic import Load


def report(outcome: Outcome) -> None:
    median, longest = outcome.recovery
    without = ", ".join(f"{what}: {count}" for what, count in outcome.without_an_id.items() if count)
    say(f"{'ok ' if outcome.is_clean else 'NOT'} {outcome.fault}: {outcome.injected} times in {outcome.took_s:.0f} s")
    say(f"    {outcome.accepted} accepted, {median:.1f} s to recover, {longest:.1f} s at most")
    say(f"    other answers: {without or 'none'}")
    if outcome.delays:
        poison, others = map(max, zip(*outcome.delays, strict=True))
        say(f"    poison took {poison:.1f} s at most, and the slowest of the others {others:.1f} s")
    for complaint in outcome.all_complaints[:20]:
        say(f"    × {complaint}")


def say(line: str) -> None:
    print(f"make chaos: {line}", flush=True)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--times", type=int, default=20, help="injections of each fault")
    parser.add_argument("--outage", type=float, default=30, help="seconds that Redis is out of reach")
    parser.add_argument("--lanes", type=int, default=3, help="services side by side, each with a fault of its own")
    parser.add_argument("--real", action="store_true", help="with the real models, which take their time")
    parser.add_argument("--only", default="", help="faults with this in their name")
    parser.add_argument("--overload", type=float, default=60, help="seconds at ten times the capacity")
    parser.add_argument("--images", type=int, default=5000, help="broken images to post")
    parser.add_argument("--examples", type=int, default=1000, help="requests of each kind in the OpenAPI document")
    return parser.parse_args()


async def drill(directory: Path, span_s: float, images: int) -> Sequence[str]:
    """Overload a service, and post broken images to another; return what is not as it should be."""
    seen = await overload(directory / "overload", all_small_pictures(), span_s)
    say(f"ten times the capacity for {span_s:.0f} s: {describe(seen)}")
    async with serving(directory / "images", exported()) as service:
        before = sizes(service)
        answered = await post_broken_images(service, seed=4, count=images)
        growth = {name: round(size - before[name]) for name, size in sizes(service).items()}
    statuses = ", ".join(f"{status}: {count}" for status, count in sorted(answered.statuses.items()))
    say(f"{images} broken images: {statuses}; growth in MB: {growth}")
    return [*complaints(seen), *(f"{status} for a broken image: {text}" for status, text, _ in answered.undocumented)]


def ask_by_the_document(examples: int) -> Sequence[str]:
    """The test of `make test`, with more examples."""
    command = [PYTHON, "-m", "pytest", "-q", "tests/proxy/test_openapi.py"]
    environment = {**os.environ, "OPENAPI_EXAMPLES": str(examples)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        return [f"an answer that the OpenAPI document has not:\n{done.stdout[-8000:]}"]
    say(f"{examples} requests of each kind that the OpenAPI document has: {done.stdout.splitlines()[-1]}")
    return []


def campaigns(told: argparse.Namespace, directory: Path) -> Sequence[Outcome]:
    faults = [fault for fault in all_faults(timedelta(seconds=told.outage)) if told.only in fault.name]
    if not faults:
        sys.exit(f"make chaos: no fault has {told.only!r} in its name")
    if told.real:  # what is poison for the small models is none for the real ones
        models, load = export_both(), load_of_photographs()
        faults = [fault for fault in faults if fault.poison is None]
    else:
        models, load = exported(), Load(all_small_pictures())
    waging = wage_all(
        faults, models=models, load=load, times=told.times, lanes=told.lanes, directory=directory, report=report
    )
    return asyncio.run(waging)


def main() -> None:
    told = arguments()
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))  # that one ends what was started, too
    wrong: Sequence[str] = []
    if not clock_faults.LIBRARY:
        say("no clock will jump: there is no libfaketime (Debian: apt-get install faketime)")
    with tempfile.TemporaryDirectory(prefix="chaos-") as name:
        outcomes = campaigns(told, Path(name))
        print(table(outcomes), flush=True)
        if not told.only and not told.real:
            wrong = [
                *asyncio.run(drill(Path(name), told.overload, told.images)),
                *ask_by_the_document(told.examples),
            ]
    for each in wrong:
        say(f"× {each}")
    sys.exit(bool(wrong) or not all(outcome.is_clean for outcome in outcomes))


if __name__ == "__main__":
    main()
