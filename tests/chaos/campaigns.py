"""Runs campaigns concurrently, each on a stack of its own: they spend most of their time waiting."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tests.chaos.campaign import CampaignResult, FaultCampaign
from tests.chaos.chaos_stack import chaos_stack
from tests.chaos.fault import Fault
from tests.chaos.traffic import Load


async def run_all(
    faults: Sequence[Fault],
    *,
    models: Path,
    load: Load,
    times: int,
    concurrency: int,
    directory: Path,
    settings: Mapping[str, str] | None = None,
    report: Callable[[CampaignResult], None],
) -> Sequence[CampaignResult]:
    """Start `concurrency` services. Each takes the next fault when it is done with one."""
    remaining = sorted(
        enumerate(faults), key=lambda item: item[1].poison is not None
    )  # poison, the slowest, is popped first
    results: dict[int, CampaignResult] = {}

    async def run_remaining(number: int) -> None:
        async with chaos_stack(directory / f"stack-{number}", models, settings) as stack:
            while remaining:
                index, fault = remaining.pop()
                results[index] = await FaultCampaign(stack, fault, load).run(times)
                report(results[index])

    async with asyncio.TaskGroup() as group:
        for number in range(min(concurrency, len(faults))):
            group.create_task(run_remaining(number))
    return [results[index] for index in range(len(faults))]
