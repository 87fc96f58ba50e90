"""The yardstick: a Python program that asks a model over gRPC, with nothing between them.

`python -m bench.direct ADDRESS MODEL IMAGE --clients 16 --seconds 3 --batch 1 --client threads|aio` keeps as many
Predicts in flight as there are clients, and prints a line of JSON as `post.lua` does. Each Predict is a new message, as
it must be for whoever has more than one image.
"""

import argparse
import asyncio
import json
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import grpc
import grpc.aio
import uvloop

from bench.load import percentile
from tf_serving_client.protos import DT_STRING, PredictionServiceStub, PredictRequest

CLIENTS: Final = ("threads", "aio")
OPTIONS: Final = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
DEADLINE_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Calls:
    address: str
    model: str
    image: bytes
    batch: int
    clients: int
    seconds: float

    def message(self) -> PredictRequest:
        request = PredictRequest()
        request.model_spec.name = self.model
        request.model_spec.signature_name = "serving_default"
        tensor = request.inputs["image_bytes"]
        tensor.dtype = DT_STRING
        tensor.tensor_shape.dim.add(size=self.batch)
        tensor.string_val.extend([self.image] * self.batch)
        return request

    def from_threads(self) -> list[tuple[float, float]]:
        """Return start and end of each call, as seconds of `time.perf_counter`."""
        times: list[tuple[float, float]] = []
        with grpc.insecure_channel(self.address, options=OPTIONS) as channel:
            predict = PredictionServiceStub(channel).Predict
            predict(self.message(), timeout=DEADLINE_S, wait_for_ready=True)  # before the clock runs
            until = time.perf_counter() + self.seconds

            def client() -> None:
                while (start := time.perf_counter()) < until:
                    predict(self.message(), timeout=DEADLINE_S)
                    times.append((start, time.perf_counter()))

            clients = [threading.Thread(target=client) for _ in range(self.clients)]
            for thread in clients:
                thread.start()
            for thread in clients:
                thread.join()
        return times

    async def from_coroutines(self) -> list[tuple[float, float]]:
        """As `from_threads`, in one thread."""
        times: list[tuple[float, float]] = []
        async with grpc.aio.insecure_channel(self.address, options=OPTIONS) as channel:
            predict = PredictionServiceStub(channel).Predict
            await predict(self.message(), timeout=DEADLINE_S, wait_for_ready=True)
            until = time.perf_counter() + self.seconds

            async def client() -> None:
                while (start := time.perf_counter()) < until:
                    await predict(self.message(), timeout=DEADLINE_S)
                    times.append((start, time.perf_counter()))

            await asyncio.gather(*(client() for _ in range(self.clients)))
        return times


def report(times: list[tuple[float, float]], batch: int) -> dict[str, Any]:
    """In microseconds. Each Predict of a batch counts as its images, all of them with the latency of the batch.

    What is counted is from the first answer on: from then on, all are in flight.
    """
    ended = sorted(end for _, end in times)
    latencies = [(end - start) * 1e6 for start, end in times]
    percentiles = {f"p{percent}": percentile(latencies, percent) for percent in (50, 90, 99)}
    return {
        "requests": (len(ended) - 1) * batch,
        "duration": (ended[-1] - ended[0]) * 1e6,
        "failed": 0,
        **percentiles,
        "max": max(latencies),
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.direct")
    parser.add_argument("address")
    parser.add_argument("model")
    parser.add_argument("image", type=Path)
    parser.add_argument("--clients", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--client", choices=CLIENTS, default="threads")
    told = parser.parse_args()
    calls = Calls(told.address, told.model, told.image.read_bytes(), told.batch, told.clients, told.seconds)
    times = calls.from_threads() if told.client == "threads" else uvloop.run(calls.from_coroutines())
    print(json.dumps(report(times, told.batch)))


if __name__ == "__main__":
    main()
