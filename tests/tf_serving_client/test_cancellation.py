"""A call ends with `ModelUnavailable` if its channel closes, and with `CancelledError` if its task is cancelled."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from datetime import timedelta
from typing import Any, Final

import grpc
import grpc.aio
import pytest
import pytest_asyncio

from tf_serving_client import ModelStatus, ModelUnavailable, open_channel
from tf_serving_client.contract import Signature
from tf_serving_client.predict import Predict

Call = Callable[[grpc.aio.Channel], Coroutine[object, object, object]]
DEADLINE: Final = timedelta(seconds=60)


class HangingServer:
    """Accepts calls and never responds. `calls` receives the method of each call that arrives."""

    def __init__(self) -> None:
        self.calls: asyncio.Queue[str] = asyncio.Queue()
        self.server = grpc.aio.server()
        services = [self._service("PredictionService", "Predict", "GetModelMetadata")]
        services.append(self._service("ModelService", "GetModelStatus"))
        self.server.add_generic_rpc_handlers(services)
        self.port = self.server.add_insecure_port("127.0.0.1:0")

    def _service(self, name: str, *methods: str) -> "grpc.GenericRpcHandler[Any, Any]":  # the stubs alone are generic
        handlers = {method: grpc.unary_unary_rpc_method_handler(self._handler(method)) for method in methods}
        return grpc.method_handlers_generic_handler(f"tensorflow.serving.{name}", handlers)

    def _handler(self, method: str) -> Callable[[bytes, object], Coroutine[object, object, bytes]]:
        async def hang(_: bytes, __: object) -> bytes:
            self.calls.put_nowait(method)
            await asyncio.Event().wait()
            return b""

        return hang


@pytest_asyncio.fixture
async def hanging() -> AsyncIterator[HangingServer]:
    hanging = HangingServer()
    await hanging.server.start()
    yield hanging
    await hanging.server.stop(grace=None)


@pytest_asyncio.fixture
async def channel(hanging: HangingServer) -> AsyncIterator[grpc.aio.Channel]:
    async with open_channel(f"127.0.0.1:{hanging.port}") as channel:
        yield channel


async def classify(channel: grpc.aio.Channel) -> object:
    return await Predict(channel, "m", DEADLINE).scores(Signature("serving_default", "in", "out"), [b"image"])


async def describe(channel: grpc.aio.Channel) -> object:
    return await ModelStatus(channel, "m", DEADLINE).describe()


async def is_available(channel: grpc.aio.Channel) -> object:
    return await ModelStatus(channel, "m", DEADLINE).is_available()


async def start(call: Call, hanging: HangingServer, channel: grpc.aio.Channel) -> asyncio.Task[object]:
    task = asyncio.create_task(call(channel))
    await hanging.calls.get()
    return task


@pytest.mark.parametrize("call", [classify, describe])
async def test_a_model_is_unavailable_when_its_channel_closes_during_a_call(
    hanging: HangingServer, channel: grpc.aio.Channel, call: Call
) -> None:
    task = await start(call, hanging, channel)
    await channel.close(None)
    with pytest.raises(ModelUnavailable, match="m: the connection was closed during the call"):
        await task


async def test_a_model_is_not_available_when_its_channel_closes_during_the_status_call(
    hanging: HangingServer, channel: grpc.aio.Channel
) -> None:
    task = await start(is_available, hanging, channel)
    await channel.close(None)
    assert await task is False


async def test_a_model_is_unavailable_when_its_server_stops_during_a_call(
    hanging: HangingServer, channel: grpc.aio.Channel
) -> None:
    task = await start(classify, hanging, channel)
    await hanging.server.stop(grace=None)
    with pytest.raises(ModelUnavailable):
        await task


@pytest.mark.parametrize("call", [classify, describe, is_available])
async def test_cancelling_the_calling_task_stays_a_cancellation(
    hanging: HangingServer, channel: grpc.aio.Channel, call: Call
) -> None:
    task = await start(call, hanging, channel)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()


async def test_cancelling_the_calling_task_while_the_channel_closes_stays_a_cancellation(
    hanging: HangingServer, channel: grpc.aio.Channel
) -> None:
    task = await start(classify, hanging, channel)
    closing = asyncio.create_task(channel.close(None))
    task.cancel()
    await asyncio.wait([task, closing])
    assert task.cancelled()


async def test_a_timeout_around_a_call_stays_a_timeout(channel: grpc.aio.Channel) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await classify(channel)
