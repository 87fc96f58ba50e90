"""Campaigns side by side: they mostly wait, each for processes of its own."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

from service_settings import ROOT
from tests.chaos.campaign import Campaign, Outcome
from tests.chaos.fault import Fault
from tests.chaos.service import serving
from tests.chaos.small_models import exported
from tests.chaos.traffic import Pictures, small_pictures
from tf_serving_client import read_labels


async def wage_all(
    faults: Sequence[Fault], *, times: int, lanes: int, directory: Path, report: Callable[[Outcome], None]
) -> Sequence[Outcome]:
    """Each lane has a service of its own, and takes the next fault when it is done with one."""
    pictures = all_small_pictures()
    models = exported()
    left = list(enumerate(faults))
    outcomes: dict[int, Outcome] = {}

    async def lane(number: int) -> None:
        async with serving(directory / f"lane-{number}", models) as service:
            while left:
                place, fault = left.pop()  # those that take longest come last
                outcomes[place] = await Campaign(service, fault, pictures).wage(times)
                report(outcomes[place])

    async with asyncio.TaskGroup() as group:
        for number in range(min(lanes, len(faults))):
            group.create_task(lane(number))
    return [outcomes[place] for place in range(len(faults))]


def all_small_pictures() -> Pictures:
    return small_pictures(read_labels(ROOT / "data" / "imagenet_labels.json"))
