"""`/livez` and `/readyz`, which say whether to restart the proxy and whether to send it requests."""

import asyncio
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from harness.process import free_port
from harness.stack import Stack
from harness.waiting import wait_until
from proxy.readiness import Readiness, check_readiness
from tests.proxy.own_proxy import own_proxy
from tf_serving_client import ContractBroken, ModelError, ModelUnavailable

UNREACHABLE = f"127.0.0.1:{free_port()}"


@pytest.mark.parametrize(
    ("settings", "status", "states"),
    [
        ({}, 200, ("ok", "ok", "ok")),
        ({"FAST_MODEL_ADDRESS": UNREACHABLE}, 503, ("ng", "ok", "ok")),
        ({"ACCURATE_MODEL_ADDRESS": UNREACHABLE}, 200, ("ok", "ng", "ok")),
        ({"REDIS_URL": f"redis://{UNREACHABLE}"}, 200, ("ok", "ok", "ng")),
    ],
    ids=["all up", "no fast model", "no accurate model", "no Redis"],
)
async def test_only_the_fast_model_is_required_and_the_rest_is_reported(
    settings: dict[str, str], status: int, states: tuple[str, ...], stack: Stack, tmp_path: Path
) -> None:
    async with own_proxy(stack, tmp_path, **settings) as (client, _):

        async def checked() -> httpx.Response | None:
            """The answer, once both models have been checked."""
            response = await client.get("/readyz")
            body = response.json()
            return response if (body["fast_model"], body["accurate_model"]) == states[:2] else None

        response = await wait_until(checked)
        assert (await client.get("/livez")).text == '{"health":"ok"}'
    body = response.json()
    assert response.status_code == status, body
    assert (body["fast_model"], body["accurate_model"], body["queue"]) == states
    if status == 503:
        assert response.headers["content-type"] == "application/problem+json"
        assert body["type"] == "urn:sync-async:problem:not-ready"
        assert response.headers["retry-after"] == "1"
    else:
        assert response.text == '{{"fast_model":"{}","accurate_model":"{}","queue":"{}"}}'.format(*states)


class Model:
    def __init__(self, error: ModelError | None = None) -> None:
        self._error = error

    async def describe(self) -> object:
        if self._error:
            raise self._error
        return None


class HangingModel:
    async def describe(self) -> object:
        await asyncio.Event().wait()
        return None


class Queue:
    async def is_writable(self) -> bool:
        return True


class HangingQueue:
    async def is_writable(self) -> bool:
        await asyncio.Event().wait()
        return True


async def test_a_fast_model_that_does_not_fit_the_contract_is_not_ready() -> None:
    broken = Model(ContractBroken("fast", "its signature is another"))
    readiness = await check_readiness(broken, Model(), Queue(), timedelta(seconds=1))
    assert readiness == Readiness(fast_model=False, accurate_model=True, queue=True)
    assert not readiness.is_ready


async def test_a_model_whose_check_hangs_does_not_delay_the_answer_beyond_the_deadline() -> None:
    readiness = await check_readiness(Model(), HangingModel(), Queue(), timedelta(milliseconds=10))
    assert readiness == Readiness(fast_model=True, accurate_model=False, queue=True)
    readiness = await check_readiness(HangingModel(), Model(), Queue(), timedelta(milliseconds=10))
    assert readiness == Readiness(fast_model=False, accurate_model=True, queue=True)


async def test_a_redis_that_hangs_does_not_delay_the_answer_beyond_the_deadline() -> None:
    unavailable = Model(ModelUnavailable("accurate", "no connection"))
    readiness = await check_readiness(Model(), unavailable, HangingQueue(), timedelta(milliseconds=10))
    assert readiness == Readiness(fast_model=True, accurate_model=False, queue=False)
    assert readiness.is_ready
