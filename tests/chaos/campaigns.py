"""Campaigns side by side: they mostly wait, each for processes of its own."""

import asyncio
import io
from collections.abc import Callable, Sequence
from pathlib import Path

from PIL import Image

from service_settings import ROOT
from tests.chaos.campaign import Campaign, Outcome
from tests.chaos.fault import Fault
from tests.chaos.service import serving
from tests.chaos.traffic import Load, Pictures, photograph, small_pictures
from tf_serving_client import read_labels


async def wage_all(
    faults: Sequence[Fault],
    *,
    models: Path,
    load: Load,
    times: int,
    lanes: int,
    directory: Path,
    report: Callable[[Outcome], None],
) -> Sequence[Outcome]:
    """Each lane has a service of its own, and takes the next fault when it is done with one."""
    left = list(enumerate(faults))
    outcomes: dict[int, Outcome] = {}

    async def lane(number: int) -> None:
        async with serving(directory / f"lane-{number}", models) as service:
            while left:
                place, fault = left.pop()  # those that take longest come last
                outcomes[place] = await Campaign(service, fault, load).wage(times)
                report(outcomes[place])

    async with asyncio.TaskGroup() as group:
        for number in range(min(lanes, len(faults))):
            group.create_task(lane(number))
    return [outcomes[place] for place in range(len(faults))]


def all_small_pictures() -> Pictures:
    return small_pictures(read_labels(ROOT / "data" / "imagenet_labels.json"))


def load_of_photographs() -> Load:
    """A PNG of the cat, so that the links know it, at a rate that the real models can take."""
    cat = Image.open(ROOT / "data" / "cat.jpg").resize((160, 120))
    out = io.BytesIO()
    cat.save(out, "PNG")
    return Load(photograph(out.getvalue()), clients=1, pause_s=0.3)
