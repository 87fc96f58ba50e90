"""The proxy and the worker as processes, between a real Redis and two scripted model servers."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
import httpx

from harness.process import PYTHON, Process, free_port
from harness.redis import RedisServer
from harness.waiting import wait_until
from tests.fake_model_server import FakeModel, Refused, classifier, fake_model_server


def sentiment(payload: bytes) -> Sequence[float]:
    if payload == b"unreadable":
        raise Refused(grpc.StatusCode.INVALID_ARGUMENT)
    return (0.1, 0.1, 0.8) if b"good" in payload else (0.8, 0.1, 0.1)


@dataclass(slots=True)
class Service:
    client: httpx.AsyncClient
    fast: FakeModel
    accurate: FakeModel

    async def result(self, job_id: str) -> str:
        async def prediction() -> str:
            answer = (await self.client.get(f"/job/{job_id}")).json()
            return str(answer[job_id]["prediction"])

        return await wait_until(prediction)


@asynccontextmanager
async def service(redis: RedisServer, directory: Path, **settings: str) -> AsyncIterator[Service]:
    """Both models know three classes; the accurate one has labels of its own."""
    signatures = {"serving_default": classifier(3, "input", "p")}
    fast = FakeModel(sentiment, served_names=("small",), signatures=signatures)
    accurate = FakeModel(sentiment, served_names=("large",), signatures=signatures)
    (directory / "labels.json").write_text('["negative", "neutral", "positive"]')
    async with AsyncExitStack() as stack:
        port = free_port()
        environment: Mapping[str, str] = {
            "FAST_MODEL": "small",
            "FAST_MODEL_ADDRESS": await stack.enter_async_context(fake_model_server(fast)),
            "ACCURATE_MODEL": "large",
            "ACCURATE_MODEL_ADDRESS": await stack.enter_async_context(fake_model_server(accurate)),
            "ACCURATE_LABELS": str(directory / "labels.json"),
            "REDIS_URL": redis.url,
            "HOST": "127.0.0.1",
            "PORT": str(port),
            **settings,
        }
        for name in ("backend", "proxy"):
            process = Process([PYTHON, "-m", name], environment, directory / name)
            process.start()
            stack.push_async_callback(asyncio.to_thread, process.stop)  # the model servers must run until then
        client = httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=30)
        running = Service(await stack.enter_async_context(client), fast, accurate)

        async def is_ready() -> bool:
            try:
                return (await client.get("/readyz")).is_success
            except httpx.TransportError:
                return False

        await wait_until(is_ready, within=60)
        yield running
