"""Calls the fast model, and batches queued requests into one Predict: dynamic batching."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from proxy.admission_queue import AdmissionQueue, QueuedRequest
from tf_serving_client import (
    Classifier,
    InputRejected,
    ModelError,
    ModelTooSlow,
    ModelUnavailable,
    NonFiniteScores,
    Prediction,
)

MAX_BATCH_BYTES: Final = 4 * 1024 * 1024
"""The default limit of a gRPC server on the size of one message. A single image may exceed it."""


@dataclass(slots=True, eq=False)
class _QueuedImage(QueuedRequest[Prediction]):
    image: bytes
    is_isolated: bool = False
    """Goes into a Predict of its own, because one image failed the batch that contained it."""

    def succeed(self, prediction: Prediction) -> None:
        if not self.response.done():
            self.response.set_result(prediction)

    def fail(self, error: Exception) -> None:
        if not self.response.done():
            self.response.set_exception(error)


class Batcher(AdmissionQueue[_QueuedImage]):
    """Limits concurrent Predict calls and batches whatever is queued when a permit is free.

    More concurrent Predicts than keep a model busy make it slower, and at some point TensorFlow Serving refuses them
    (RESOURCE_EXHAUSTED). Batching makes each image cheaper under load. An image never waits for a batch to fill up:
    while a permit is free, it is sent immediately, on its own.

    If a Predict fails, all its requests fail, except that an image fails alone if the model can't decode it, or has no
    finite score for it. A Predict that times out limits the following batches to half its size, because a model that is
    too slow for large batches may still handle small ones. The limit grows by one with each fast Predict.
    """

    def __init__(
        self, model: Classifier, *, concurrency: int, max_batch_size: int, max_queued: int, queue_timeout: timedelta
    ) -> None:
        super().__init__("the fast model", concurrency=concurrency, max_queued=max_queued, timeout=queue_timeout)
        self._model = model
        self._fast_s = model.deadline.total_seconds() / 2
        self._max_batch_size = self._batch_limit = max_batch_size
        self._predicts: set[asyncio.Task[None]] = set()

    async def classify(self, image: bytes) -> Prediction:
        """Classify an encoded image (JPEG or PNG). Raises a `ModelError`, or `Overloaded`."""
        request = _QueuedImage(image)
        await self._submit(request)
        return request.response.result()

    def _dispatch(self) -> None:
        while self._permits and (batch := self._take_batch()):
            self._permits -= 1
            task = asyncio.create_task(self._predict(batch))
            self._predicts.add(task)
            task.add_done_callback(self._predicts.discard)

    def _take_batch(self) -> list[_QueuedImage]:
        batch: list[_QueuedImage] = []
        size = 0
        while len(batch) < self._batch_limit and (request := self._peek()):
            size += len(request.image)
            if batch and (size > MAX_BATCH_BYTES or batch[0].is_isolated):
                break
            batch.append(self._admit())
        return batch

    async def _predict(self, batch: Sequence[_QueuedImage]) -> None:
        started = time.monotonic()
        try:
            predictions = await self._model.classify([request.image for request in batch])
            for request, prediction in zip(batch, predictions, strict=True):
                request.succeed(prediction)
            if time.monotonic() - started < self._fast_s:
                self._batch_limit = min(self._max_batch_size, self._batch_limit + 1)
        except (InputRejected, NonFiniteScores) as error:
            self._isolate(batch, error)
        except Exception as error:
            if isinstance(error, ModelTooSlow):
                self._batch_limit = min(self._batch_limit, max(1, len(batch) // 2))
            for request in batch:
                request.fail(error)
        except asyncio.CancelledError:  # at shutdown
            for request in batch:
                request.fail(ModelUnavailable(self._model.model, "the proxy is shutting down"))
            raise
        finally:
            self._release()

    def _isolate(self, batch: Sequence[_QueuedImage], error: ModelError) -> None:
        """Return the images of a failed batch to the head of the queue, to be sent one by one.

        One image fails a whole Predict, so only a Predict for a single image shows which image is the cause.
        """
        if len(batch) == 1:
            batch[0].fail(error)
            return
        requests = [request for request in batch if not request.response.done()]
        for request in requests:
            request.is_isolated = True
            request.timeout.reschedule(asyncio.get_running_loop().time() + self._timeout_s)
        self._queue.extendleft(reversed(requests))
