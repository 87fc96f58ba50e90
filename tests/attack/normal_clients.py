"""Clients that do nothing wrong: they probe `GET /health` and post images at a fixed rate."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from statistics import quantiles
from typing import Final

import httpx
from PIL import Image

from tests.attack.attack import Target, request
from tests.attack.bombs import encoded
from tests.chaos.small_models import image_of

RESPONSE_TIMEOUT_S: Final = 30.0
KEEP_ALIVE_S: Final = 2.0
"""Less than the proxy's own, so that no client sends a request while the proxy closes the connection."""
HEALTH, SMALL, PHOTOGRAPH = "health", "small", "photograph"
IMAGES: Final = [SMALL, PHOTOGRAPH]
RATES: Final = {HEALTH: 10.0, SMALL: 8.0, PHOTOGRAPH: 4.0}
"""A second."""
PHOTOGRAPH_SIZE: Final = (1600, 1200)
"""Of a photograph that a browser has scaled down. It has about 360 KB, and the proxy normalizes it."""
PROBE: Final = request(b"GET", b"/health", b"connection: close")


class Outcome(Enum):
    ANSWERED = "answered"
    SHED = "answered, without a job"
    REFUSED = "503 with Retry-After"
    WRONG = "another status"
    UNANSWERED = "no response"


@dataclass(slots=True)
class Observation:
    """What happened to requests of one kind. Latencies count from when a request was due."""

    outcomes: Counter[Outcome] = field(default_factory=Counter)
    latencies_s: list[float] = field(default_factory=list)
    wrong: Counter[int] = field(default_factory=Counter)
    """Statuses other than 200 and 503 with Retry-After."""

    def share(self, outcome: Outcome) -> float:
        return self.outcomes[outcome] / max(1, self.outcomes.total())


Observations = Mapping[str, Observation]
"""By the kind of request."""


def p95_ms(observations: Observations, kinds: Sequence[str]) -> float:
    latencies_s = [latency for kind in kinds for latency in observations[kind].latencies_s]
    return quantiles(latencies_s, n=20)[-1] * 1000


async def observe(port: int, duration_s: float) -> Observations:
    """Send requests for `duration_s`, and wait for all responses."""
    observations = {kind: Observation() for kind in RATES}
    photograph = encoded(Image.effect_noise(PHOTOGRAPH_SIZE, 16).convert("RGB"), "JPEG", quality=60)
    limits = httpx.Limits(keepalive_expiry=KEEP_ALIVE_S)
    url = f"http://127.0.0.1:{port}"
    async with (
        httpx.AsyncClient(base_url=url, timeout=None, trust_env=False, limits=limits) as client,
        asyncio.TaskGroup() as loops,
    ):
        send = {
            HEALTH: lambda: _probe(Target(port)),
            SMALL: lambda: _post(client, image_of(1)),
            PHOTOGRAPH: lambda: _post(client, photograph, "image/jpeg"),
        }
        for kind, rate in RATES.items():
            loops.create_task(_at_rate(rate, duration_s, send[kind], observations[kind]))
    return observations


async def _at_rate(
    rate: float, duration_s: float, send: Callable[[], Awaitable[tuple[Outcome, int]]], observation: Observation
) -> None:
    started = time.monotonic()

    async def record(due: float) -> None:
        try:
            async with asyncio.timeout_at(asyncio.get_running_loop().time() + RESPONSE_TIMEOUT_S):
                outcome, status = await send()
        except (OSError, TimeoutError, httpx.TransportError):
            outcome, status = Outcome.UNANSWERED, 0
        observation.outcomes[outcome] += 1
        observation.latencies_s.append(time.monotonic() - due)
        if outcome is Outcome.WRONG:
            observation.wrong[status] += 1

    async with asyncio.TaskGroup() as requests:
        for number in range(max(2, int(rate * duration_s))):
            due = started + number / rate
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            requests.create_task(record(due))


async def _probe(target: Target) -> tuple[Outcome, int]:
    """On a connection of its own, as a load balancer does."""
    reader, writer = await target.connect()
    try:
        writer.write(PROBE)
        response = await reader.read()
    finally:
        writer.transport.abort()
    if not response:
        return Outcome.UNANSWERED, 0
    return _outcome(int(response.split(b" ", 2)[1]), b"\r\nretry-after:" in response.lower(), is_shed=False)


async def _post(client: httpx.AsyncClient, image: bytes, media_type: str = "image/png") -> tuple[Outcome, int]:
    response = await client.post("/predict", content=image, headers={"content-type": media_type})
    headers = response.headers
    return _outcome(response.status_code, "retry-after" in headers, is_shed="refinement" in headers)


def _outcome(status: int, has_retry_after: bool, *, is_shed: bool) -> tuple[Outcome, int]:
    if status == 200:
        return (Outcome.SHED if is_shed else Outcome.ANSWERED), status
    return (Outcome.REFUSED if status == 503 and has_retry_after else Outcome.WRONG), status
