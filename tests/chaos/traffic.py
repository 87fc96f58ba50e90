"""Clients that post one image after the other, and what each of them was told."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

import httpx

from tests.chaos.small_models import ACCURATE, image_of, index_of

ALIKE: Final = "as all the others"
"""The label of a picture of which only that is known."""


@dataclass(frozen=True)
class Picture:
    image: bytes
    refined: str | None
    """The label that the accurate model gives it; None: there is none, and its job must fail."""


Pictures = Callable[[int], Picture]


@dataclass(frozen=True)
class Load:
    """What is posted, by how many clients, and how long each of them rests after an answer."""

    pictures: Pictures
    clients: int = 4
    pause_s: float = 0.05


def small_pictures(labels: Sequence[str]) -> Pictures:
    return lambda number: Picture(image_of(number), labels[index_of(number, ACCURATE)])


def photograph(image: bytes) -> Pictures:
    """One and the same image, for models that are not the suite's own."""
    return lambda _: Picture(image, ALIKE)


@dataclass
class Told:
    """How many posts got what. A post that got no id may have left a job all the same, but never two."""

    accepted: dict[str, str | None] = field(default_factory=dict)
    """Each id that a client was given, and the label that its job must end with, or None where it must fail."""
    twice: list[str] = field(default_factory=list)
    """Ids that two clients were given."""
    shed: Counter[str] = field(default_factory=Counter)
    refused: Counter[int] = field(default_factory=Counter)
    unanswered: int = 0
    undocumented: list[str] = field(default_factory=list)
    posts: int = 0

    @property
    def without_an_id(self) -> int:
        return self.posts - len(self.accepted)


class Traffic:
    def __init__(self, client: httpx.AsyncClient, pictures: Pictures) -> None:
        self.told = Told()
        self._client = client
        self._pictures = pictures

    @asynccontextmanager
    async def flowing(self, load: Load) -> AsyncIterator[None]:
        """Keep clients posting while the context lasts; each gets its last answer before it ends."""
        over = asyncio.Event()

        async def post_and_post() -> None:
            while not over.is_set():
                await self.post()
                await asyncio.sleep(load.pause_s)

        async with asyncio.TaskGroup() as group:
            for _ in range(load.clients):
                group.create_task(post_and_post())
            try:
                yield
            finally:
                over.set()

    async def post(self, picture: Picture | None = None) -> str | None:
        """Post the picture, or the next of many; return the id of its job, if it was given one."""
        told = self.told
        picture = picture or self._pictures(told.posts)
        told.posts += 1
        try:
            response = await self._client.post("/predict", content=picture.image, headers={"content-type": "image/png"})
        except httpx.TransportError:
            told.unanswered += 1
            return None
        if response.status_code == 504 or (response.status_code == 503 and "retry-after" in response.headers):
            told.refused[response.status_code] += 1
        elif response.status_code == 200 and (job_id := response.json()["job_id"]):
            if job_id in told.accepted:
                told.twice.append(job_id)
            told.accepted[job_id] = picture.refined
            return str(job_id)
        elif response.status_code == 200 and "refinement" in response.headers:
            told.shed[response.headers["refinement"]] += 1
        else:
            told.undocumented.append(f"{response.status_code} {response.text}")
        return None
