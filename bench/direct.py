"""The reference: a Python client that calls a model over gRPC, with nothing in between.

`python -m bench.direct ADDRESS MODEL IMAGE --clients 16 --seconds 3 --batch 1 --client threads|aio` keeps one Predict
in flight for each client, and prints one line of JSON in the format of `post.lua`. Each Predict builds a new message,
as a client with different images has to.
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
        """Return the start and end of each call, in seconds of `time.perf_counter`."""
        times: list[tuple[float, float]] = []
        with grpc.insecure_channel(self.address, options=OPTIONS) as channel:
            predict = PredictionServiceStub(channel).Predict
            predict(self.message(), timeout=DEADLINE_S, wait_for_ready=True)  # connects, and is not measured
            deadline = time.perf_counter() + self.seconds

            def client() -> None:
                while (start := time.perf_counter()) < deadline:
                    predict(self.message(), timeout=DEADLINE_S)
                    times.append((start, time.perf_counter()))

            clients = [threading.Thread(target=client) for _ in range(self.clients)]
            for thread in clients:
                thread.start()
            for thread in clients:
                thread.join()
        return times

    async def from_coroutines(self) -> list[tuple[float, float]]:
        """Like `from_threads`, in one thread."""
        times: list[tuple[float, float]] = []
        async with grpc.aio.insecure_channel(self.address, options=OPTIONS) as channel:
            predict = PredictionServiceStub(channel).Predict
            await predict(self.message(), timeout=DEADLINE_S, wait_for_ready=True)
            deadline = time.perf_counter() + self.seconds

            async def client() -> None:
                while (start := time.perf_counter()) < deadline:
                    await predict(self.message(), timeout=DEADLINE_S)
                    times.append((start, time.perf_counter()))

            await asyncio.gather(*(client() for _ in range(self.clients)))
        return times


def report(times: list[tuple[float, float]], batch: int) -> dict[str, Any]:
    """Report counts of images, and times in microseconds. Every image of a batch has the latency of the batch.

    Throughput is measured from the first response on, because all calls are in flight only from then on.
    """
    ends = sorted(end for _, end in times)
    latencies = [(end - start) * 1e6 for start, end in times]
    percentiles = {f"p{percent}": percentile(latencies, percent) for percent in (50, 90, 99)}
    return {
        "requests": (len(ends) - 1) * batch,
        "duration": (ends[-1] - ends[0]) * 1e6,
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
    args = parser.parse_args()
    calls = Calls(args.address, args.model, args.image.read_bytes(), args.batch, args.clients, args.seconds)
    times = calls.from_threads() if args.client == "threads" else uvloop.run(calls.from_coroutines())
    print(json.dumps(report(times, args.batch)))


if __name__ == "__main__":
    main()
