"""Posts broken images, and keeps what is answered."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from tests.chaos.broken_images import broken_images
from tests.chaos.service import Service

DOCUMENTED: Final = {200, 400, 413, 415, 422, 503, 504}


@dataclass
class Answered:
    statuses: Counter[int] = field(default_factory=Counter)
    undocumented: list[tuple[int, str, bytes]] = field(default_factory=list)


async def post_broken_images(service: Service, seed: int, count: int) -> Answered:
    answered = Answered()
    async with service.client() as client:
        for media_type, image in broken_images(seed, count):
            answer = await client.post("/predict", content=image, headers={"content-type": media_type})
            answered.statuses[answer.status_code] += 1
            if answer.status_code not in DOCUMENTED or (
                answer.status_code == 503 and "retry-after" not in answer.headers
            ):
                answered.undocumented.append((answer.status_code, answer.text, image))
    return answered
