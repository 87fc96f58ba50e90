"""`make chaos`: injects faults, overloads the proxy and posts broken images. Fails if a job is lost or duplicated."""

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
from tests.chaos.campaign import CampaignResult
from tests.chaos.campaigns import run_all
from tests.chaos.chaos_stack import chaos_stack
from tests.chaos.faults import all_faults
from tests.chaos.image_fuzz import post_broken_images
from tests.chaos.overload import memory_mb, overload
from tests.chaos.small_models import export_once
from tests.chaos.table import table
from tests.chaos.traffic import Load, photograph_load, small_samples


def log(line: str) -> None:
    print(f"make chaos: {line}", flush=True)


def report(result: CampaignResult) -> None:
    others = ", ".join(f"{response}: {count}" for response, count in result.other_responses.items() if count)
    status = "FAILED" if result.violations else "ok"
    log(f"{status}: {result.fault} (injections: {result.injected}, duration: {result.duration_s:.0f} s)")
    log(
        f"    {result.accepted} jobs accepted; recovered in {result.median_recovery_s:.1f} s (median), "
        f"{result.max_recovery_s:.1f} s (maximum); other responses: {others or 'none'}"
    )
    if result.job_durations:
        poison, slowest = map(max, zip(*result.job_durations, strict=True))
        log(f"    the poison failed after {poison:.1f} s at most; no other job took longer than {slowest:.1f} s")
    for violation in result.violations[:20]:
        log(f"    {violation}")


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--times", type=int, default=20, help="injections of each fault")
    parser.add_argument("--outage", type=float, default=30, help="seconds that Redis is unreachable")
    parser.add_argument("--concurrency", type=int, default=3, help="services, each with a different fault")
    parser.add_argument("--real", action="store_true", help="use the real models, which are slower")
    parser.add_argument("--only", default="", help="inject only the faults whose names contain this text")
    parser.add_argument("--overload", type=float, default=60, help="seconds at ten times the capacity")
    parser.add_argument("--images", type=int, default=5000, help="broken images to post")
    parser.add_argument("--examples", type=int, default=1000, help="generated requests per OpenAPI operation")
    return parser.parse_args()


def run_campaigns(args: argparse.Namespace, directory: Path) -> Sequence[CampaignResult]:
    faults = [fault for fault in all_faults(timedelta(seconds=args.outage)) if args.only in fault.name]
    if not faults:
        sys.exit(f"make chaos: no fault's name contains {args.only!r}")
    if args.real:  # the poison images are harmless to the real models
        models, load = export_both(), photograph_load()
        faults = [fault for fault in faults if fault.poison is None]
    else:
        models, load = export_once(), Load(small_samples())
    campaigns = run_all(
        faults,
        models=models,
        load=load,
        times=args.times,
        concurrency=args.concurrency,
        directory=directory,
        report=report,
    )
    return asyncio.run(campaigns)


async def overload_violations(directory: Path, duration_s: float) -> Sequence[str]:
    result = await overload(directory / "overload", small_samples(), duration_s)
    log(f"ten times the capacity for {duration_s:.0f} s: {result}")
    return list(result.violations())


async def image_violations(directory: Path, count: int) -> Sequence[str]:
    async with chaos_stack(directory / "images", export_once()) as stack:
        before = memory_mb(stack)
        result = await post_broken_images(stack, seed=4, count=count)
        growth = {name: round(size - before[name]) for name, size in memory_mb(stack).items()}
    statuses = ", ".join(f"{status}: {count}" for status, count in sorted(result.statuses.items()))
    log(f"{count} broken images: {statuses}; growth in MB: {growth}")
    return [f"undocumented response to a broken image: {status} {text}" for status, text, _ in result.undocumented]


def openapi_violations(examples: int) -> Sequence[str]:
    """Run the test that `make test` runs, with more examples."""
    command = [PYTHON, "-m", "pytest", "-q", "tests/proxy/test_openapi.py"]
    environment = {**os.environ, "OPENAPI_EXAMPLES": str(examples)}
    completed = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if completed.returncode:
        return [f"a response that the OpenAPI document does not allow:\n{completed.stdout[-8000:]}"]
    log(f"{examples} generated requests per OpenAPI operation: {completed.stdout.splitlines()[-1]}")
    return []


def main() -> None:
    args = parse_args()
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))  # which stops all services
    violations: list[str] = []
    if not clock_faults.LIBRARY:
        log("skipping clock jumps: libfaketime is not installed (Debian: apt-get install faketime)")
    with tempfile.TemporaryDirectory(prefix="chaos-") as name:
        directory = Path(name)
        results = run_campaigns(args, directory)
        print(table(results), flush=True)
        if not args.only and not args.real:
            violations += asyncio.run(overload_violations(directory, args.overload))
            violations += asyncio.run(image_violations(directory, args.images))
            violations += openapi_violations(args.examples)
    for violation in violations:
        log(violation)
    sys.exit(bool(violations) or any(result.violations for result in results))


if __name__ == "__main__":
    main()
