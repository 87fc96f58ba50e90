"""Posts images to the proxy and tallies the responses."""

import asyncio
import io
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

import httpx
from PIL import Image

from service_settings import ROOT
from tests.chaos.small_models import ACCURATE, image_of, index_of
from tf_serving_client import read_labels

SAME_FOR_ALL: Final = "the same label for all images"
"""Stands for the expected label when all images are identical and their label is not known in advance."""


@dataclass(frozen=True, slots=True)
class Sample:
    image: bytes
    expected_label: str | None
    """From the accurate model. None: the job must fail."""


Samples = Callable[[int], Sample]


@dataclass(frozen=True, slots=True)
class Load:
    """Closed-loop load: each client posts an image, waits for the response, and pauses for `pause_s`."""

    samples: Samples
    clients: int = 4
    pause_s: float = 0.05


@dataclass(slots=True)
class Tally:
    """Counts posts by response. A post that returned no job id may have created a job, but at most one."""

    accepted: dict[str, str | None] = field(default_factory=dict)
    """The expected label by job id. None: the job must fail."""
    reused_ids: list[str] = field(default_factory=list)
    shed: Counter[str] = field(default_factory=Counter)
    """Fast answers without a job, by reason."""
    refused: Counter[int] = field(default_factory=Counter)
    """503 and 504, by status."""
    unanswered: int = 0
    undocumented: list[str] = field(default_factory=list)
    posts: int = 0

    @property
    def posts_without_id(self) -> int:
        return self.posts - len(self.accepted)


class Traffic:
    def __init__(self, client: httpx.AsyncClient, samples: Samples) -> None:
        self.tally = Tally()
        self._client = client
        self._samples = samples

    @asynccontextmanager
    async def closed_loop(self, load: Load) -> AsyncIterator[None]:
        """Keep the load's clients posting. At exit, each of them still waits for its last response."""
        stopping = asyncio.Event()

        async def client() -> None:
            while not stopping.is_set():
                await self.post()
                await asyncio.sleep(load.pause_s)

        async with asyncio.TaskGroup() as group:
            for _ in range(load.clients):
                group.create_task(client())
            try:
                yield
            finally:
                stopping.set()

    async def post(self, sample: Sample | None = None) -> str | None:
        """Post `sample`, or the next of this traffic's samples. Return the job id, or None without one."""
        tally = self.tally
        sample = sample or self._samples(tally.posts)
        tally.posts += 1
        try:
            response = await self._client.post("/predict", content=sample.image, headers={"content-type": "image/png"})
        except httpx.TransportError:
            tally.unanswered += 1
            return None
        if response.status_code == 504 or (response.status_code == 503 and "retry-after" in response.headers):
            tally.refused[response.status_code] += 1
        elif response.status_code == 200 and (job_id := response.json()["job_id"]):
            if job_id in tally.accepted:
                tally.reused_ids.append(job_id)
            tally.accepted[job_id] = sample.expected_label
            return str(job_id)
        elif response.status_code == 200 and "refinement" in response.headers:
            tally.shed[response.headers["refinement"]] += 1
        else:
            tally.undocumented.append(f"{response.status_code} {response.text}")
        return None


def small_samples() -> Samples:
    """Images for the small models; consecutive ones have different labels."""
    labels = read_labels(ROOT / "data" / "imagenet_labels.json")
    return lambda number: Sample(image_of(number), labels[index_of(number, ACCURATE)])


def photograph_load() -> Load:
    """The photograph of a cat, at a rate that the real models sustain."""
    photograph = io.BytesIO()
    Image.open(ROOT / "data" / "cat.jpg").resize((160, 120)).save(photograph, "PNG")  # triggers match on the PNG header
    sample = Sample(photograph.getvalue(), SAME_FOR_ALL)
    return Load(lambda _: sample, clients=1, pause_s=0.3)
