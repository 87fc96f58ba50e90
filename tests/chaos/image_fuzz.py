from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from tests.chaos.broken_images import broken_images
from tests.chaos.chaos_stack import ChaosStack

DOCUMENTED_STATUSES: Final = {200, 400, 413, 415, 422, 503, 504}


@dataclass(frozen=True, slots=True)
class FuzzResult:
    statuses: Counter[int] = field(default_factory=Counter)
    undocumented: list[tuple[int, str, bytes]] = field(default_factory=list)
    """Status, text and image of each response that is not documented."""


async def post_broken_images(stack: ChaosStack, seed: int, count: int) -> FuzzResult:
    result = FuzzResult()
    async with stack.client() as client:
        for media_type, image in broken_images(seed, count):
            response = await client.post("/predict", content=image, headers={"content-type": media_type})
            result.statuses[response.status_code] += 1
            if response.status_code not in DOCUMENTED_STATUSES or (
                response.status_code == 503 and "retry-after" not in response.headers
            ):
                result.undocumented.append((response.status_code, response.text, image))
    return result
