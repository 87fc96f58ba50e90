"""Asks the fast model, for several requests at once where they would have to wait: dynamic batching."""

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from proxy.errors import Overloaded
from tf_serving_client import Classifier, ImageRejected, ModelTooSlow, ModelUnavailable, Prediction

ENOUGH_BYTES: Final = 4 * 1024 * 1024
"""In one Predict of several images: what a gRPC server takes in a message if it was told nothing else."""


@dataclass(slots=True, eq=False)
class _Waiting:
    """An image in line. `no_turn` is the time that it may stay there."""

    image: bytes
    answer: asyncio.Future[Prediction]
    no_turn: asyncio.Timeout
    alone: bool = False

    def succeed(self, prediction: Prediction) -> None:
        if not self.answer.done():
            self.answer.set_result(prediction)

    def fail(self, error: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)


class Batcher:
    """So many Predicts at the model at once, and in each what is in line when it goes out.

    More Predicts than keep a model busy make it slower, not faster; and it refuses them at some point (TensorFlow
    Serving: RESOURCE_EXHAUSTED). So images wait here, first come first served, and when too many wait, the next is
    refused at once: a pile that grows answers nobody in time.

    Those in line go in one Predict as soon as there is a place, which makes each of them cheaper when there is much to
    do. Nobody waits for company: where a place is free, an image goes at once, and alone. What becomes of a Predict
    becomes of all its images, but for one that can't be read: it fails alone. A model that is too slow for so many at
    once is sent fewer, until it is quick again: else it would work for nobody, where it could answer some.
    """

    def __init__(self, model: Classifier, *, at_once: int, size: int, waiting: int) -> None:
        """`at_once` Predicts of up to `size` images each, and up to `waiting` images in line."""
        self.model = model
        self._patience_s = model.deadline.total_seconds()
        self._places = at_once
        self._size = self._fitting = size
        self._most = waiting
        self._line: deque[_Waiting] = deque()
        self._asking: set[asyncio.Task[None]] = set()

    async def classify(self, image: bytes) -> Prediction:
        """Classify an encoded image (JPEG or PNG). Raises a `ModelError`, or `Overloaded`."""
        if not self._places and len(self._line) >= self._most:
            raise Overloaded(f"{self._most} requests are waiting already: try again in a moment")
        try:
            async with asyncio.timeout(self._patience_s) as no_turn:
                return await self._answer(_Waiting(image, asyncio.get_running_loop().create_future(), no_turn))
        except TimeoutError:
            raise Overloaded(f"no turn came in {self._patience_s:g} s: try again in a moment") from None

    async def _answer(self, waiting: _Waiting) -> Prediction:
        self._line.append(waiting)
        self._go()
        try:
            return await waiting.answer
        except asyncio.CancelledError:  # the time is up, or the client is gone
            with suppress(ValueError):
                self._line.remove(waiting)
            raise

    def _go(self) -> None:
        while self._places and (batch := self._next()):
            self._places -= 1
            task = asyncio.create_task(self._ask(batch))
            self._asking.add(task)
            task.add_done_callback(self._asking.discard)

    def _next(self) -> list[_Waiting]:
        """Whoever has left the line meanwhile is passed over."""
        batch: list[_Waiting] = []
        room = ENOUGH_BYTES
        while self._line and len(batch) < self._fitting and not (batch and batch[0].alone):
            room -= len(self._line[0].image)
            if batch and room < 0:
                break
            first = self._line.popleft()
            if not first.answer.done():
                first.no_turn.reschedule(None)
                batch.append(first)
        return batch

    async def _ask(self, batch: Sequence[_Waiting]) -> None:
        started = time.monotonic()
        try:
            predictions = await self.model.classify([waiting.image for waiting in batch])
            for waiting, prediction in zip(batch, predictions, strict=True):
                waiting.succeed(prediction)
            if time.monotonic() - started < self._patience_s / 2:
                self._fitting = min(self._size, self._fitting + 1)
        except ImageRejected as error:
            self._isolate(batch, error)
        except Exception as error:
            if isinstance(error, ModelTooSlow):
                self._fitting = max(1, len(batch) // 2)
            for waiting in batch:
                waiting.fail(error)
        except asyncio.CancelledError:  # the channel was closed in mid-Predict
            for waiting in batch:
                waiting.fail(ModelUnavailable(self.model.model, "the call was cancelled"))
            raise
        finally:
            self._places += 1
            self._go()

    def _isolate(self, batch: Sequence[_Waiting], error: ImageRejected) -> None:
        """One image that can't be read fails a whole Predict: asked one by one, and at once, only that one fails."""
        if len(batch) == 1:
            batch[0].fail(error)
            return
        again = [waiting for waiting in batch if not waiting.answer.done()]
        for waiting in again:
            waiting.alone = True
            waiting.no_turn.reschedule(asyncio.get_running_loop().time() + self._patience_s)
        self._line.extendleft(reversed(again))
