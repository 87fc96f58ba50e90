"""Dynamic batching: queued images share a Predict, without extra delay, and an invalid image fails alone."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

import pytest

from proxy.batcher import MAX_BATCH_BYTES, Batcher
from proxy.errors import Overloaded
from tf_serving_client import InputRejected, ModelTooSlow, ModelUnavailable, NonFiniteScores, Prediction

MINUTE: Final = timedelta(minutes=1)
INVALID: Final = b"invalid"
NOT_FINITE: Final = b"not finite"
UNAVAILABLE: Final = b"unavailable"
SLOW: Final = b"slow"
BUG: Final = b"bug"
HELD: Final = b"held"


class FakeModel:
    """Responds when the test allows it, with the image as its own label, or with the error that an image names."""

    def __init__(self) -> None:
        self.model, self.deadline = "fake", MINUTE
        self.predicts: list[list[bytes]] = []
        self.tasks: list[asyncio.Task[None] | None] = []
        self.held = asyncio.Event()
        self._responses = asyncio.Semaphore(0)

    def allow(self, predicts: int = 1_000) -> None:
        for _ in range(predicts):
            self._responses.release()

    async def classify(self, payloads: Sequence[bytes]) -> list[Prediction]:
        self.predicts.append([*payloads])
        self.tasks.append(asyncio.current_task())
        await self._responses.acquire()
        if HELD in payloads:
            await self.held.wait()
        if UNAVAILABLE in payloads:
            raise ModelUnavailable(self.model, "gone")
        if SLOW in payloads:
            raise ModelTooSlow(self.model, "too slow")
        if BUG in payloads:
            raise RuntimeError("a bug")
        if INVALID in payloads:
            raise InputRejected(self.model, "one image is invalid")
        if NOT_FINITE in payloads:
            raise NonFiniteScores(self.model, "NaN")
        return [Prediction(self.model, 1, ((payload.decode(), 1.0),)) for payload in payloads]


def batcher_of(model: FakeModel, queue_timeout: timedelta = MINUTE, **limits: int) -> Batcher:
    defaults = {"concurrency": 1, "max_batch_size": 8, "max_queued": 99}
    return Batcher(model, queue_timeout=queue_timeout, **(defaults | limits))


def submit(batcher: Batcher, *images: bytes) -> list[asyncio.Task[Prediction]]:
    return [asyncio.create_task(batcher.classify(image)) for image in images]


async def run_ready_tasks() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_an_image_is_sent_immediately_and_alone_while_a_permit_is_free() -> None:
    model = FakeModel()
    requests = submit(batcher_of(model, concurrency=2, max_queued=0), b"1", b"2")
    await run_ready_tasks()
    assert model.predicts == [[b"1"], [b"2"]]
    model.allow()
    assert [(await request).label for request in requests] == ["1", "2"]


async def test_queued_images_are_batched_in_order_and_each_request_gets_its_own_prediction() -> None:
    model = FakeModel()
    requests = submit(batcher_of(model, max_batch_size=3), b"1", b"2", b"3", b"4", b"5", b"6")
    await run_ready_tasks()
    assert model.predicts == [[b"1"]]
    model.allow()
    assert [(await request).label for request in requests] == ["1", "2", "3", "4", "5", "6"]
    assert model.predicts == [[b"1"], [b"2", b"3", b"4"], [b"5", b"6"]]


@pytest.mark.parametrize(("image", "error"), [(INVALID, InputRejected), (NOT_FINITE, NonFiniteScores)], ids=str)
async def test_an_image_that_is_invalid_or_has_no_finite_score_fails_alone(image: bytes, error: type) -> None:
    model = FakeModel()
    model.allow()
    outcomes = await asyncio.gather(*submit(batcher_of(model), b"1", b"2", image, b"4"), return_exceptions=True)
    assert model.predicts == [[b"1"], [b"2", image, b"4"], [b"2"], [image], [b"4"]]
    assert isinstance(outcomes[2], error)
    assert [outcome.label for outcome in outcomes if isinstance(outcome, Prediction)] == ["1", "2", "4"]


async def test_later_images_are_batched_again_after_a_rejected_batch() -> None:
    model = FakeModel()
    requests = submit(batcher_of(model, max_batch_size=2), b"1", INVALID, b"3", b"4", b"5")
    model.allow()
    outcomes = await asyncio.gather(*requests, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [Prediction, InputRejected, Prediction, Prediction, Prediction]
    assert model.predicts == [[b"1"], [INVALID, b"3"], [INVALID], [b"3"], [b"4", b"5"]]


@pytest.mark.parametrize(
    ("image", "error"),
    [(UNAVAILABLE, ModelUnavailable), (SLOW, ModelTooSlow), (BUG, RuntimeError)],
    ids=str,
)
async def test_a_failed_predict_fails_all_its_requests_and_none_after_them(
    image: bytes, error: type[Exception]
) -> None:
    model = FakeModel()
    model.allow()
    requests = submit(batcher_of(model, max_batch_size=2), b"1", image, b"3", b"4")
    outcomes = await asyncio.gather(*requests, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [Prediction, error, error, Prediction]


async def test_a_cancelled_predict_fails_its_requests() -> None:
    model = FakeModel()
    requests = submit(batcher_of(model), b"1", b"2", b"3")
    model.allow(1)
    assert (await requests[0]).label == "1"
    await run_ready_tasks()
    assert model.tasks[1]
    model.tasks[1].cancel()
    outcomes = await asyncio.gather(*requests[1:], return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [ModelUnavailable] * 2


async def test_batches_are_halved_after_a_timeout_and_grow_with_each_fast_predict() -> None:
    model = FakeModel()
    model.allow()
    requests = submit(batcher_of(model, max_batch_size=4), b"1", b"2", SLOW, *[b"3"] * 20)
    outcomes = await asyncio.gather(*requests, return_exceptions=True)
    assert [len(images) for images in model.predicts] == [1, 4, 2, 3, 4, 4, 4, 1]
    assert sum(isinstance(outcome, ModelTooSlow) for outcome in outcomes) == 4


async def test_a_large_batch_that_times_out_late_does_not_raise_the_limit_again() -> None:
    model = FakeModel()
    model.allow()
    batcher = batcher_of(model, concurrency=2)
    late = submit(batcher, b"1", b"2", HELD, *[SLOW] * 7)
    await asyncio.gather(*submit(batcher, *[SLOW] * (8 + 4 + 2)), return_exceptions=True)
    model.held.set()
    await asyncio.gather(*late, return_exceptions=True)
    await asyncio.gather(*submit(batcher, *[b"3"] * 8))
    assert [len(images) for images in model.predicts] == [1, 1, 8, 8, 4, 2, 1, 1, 2, 3, 1]


async def test_a_batch_is_no_larger_than_the_default_message_limit_of_a_grpc_server() -> None:
    model = FakeModel()
    model.allow()
    half = b"x" * (MAX_BATCH_BYTES // 2)
    await asyncio.gather(*submit(batcher_of(model), b"1", b"2", half, half, b"5" * 9))
    assert [len(images) for images in model.predicts] == [1, 2, 2]


async def test_an_image_above_the_message_limit_is_sent_alone() -> None:
    model = FakeModel()
    model.allow()
    huge = b"x" * (MAX_BATCH_BYTES + 1)
    await asyncio.gather(*submit(batcher_of(model), b"1", huge, b"3"))
    assert [len(images) for images in model.predicts] == [1, 1, 1]


async def test_images_of_a_rejected_batch_time_out_in_the_queue_too() -> None:
    model = FakeModel()
    requests = submit(batcher_of(model, queue_timeout=timedelta(milliseconds=50)), b"1", INVALID, b"3")
    model.allow(2)  # for the first image, and for the batch that is then rejected and sent one by one
    with pytest.raises(Overloaded):
        await requests[2]
    assert model.predicts == [[b"1"], [INVALID, b"3"], [INVALID]]
    model.allow()
    with pytest.raises(InputRejected):
        await requests[1]


async def test_a_cancelled_request_leaves_the_queue_and_its_image_is_not_sent() -> None:
    model = FakeModel()
    batcher = batcher_of(model, max_queued=1)
    [first] = submit(batcher, b"1")
    await run_ready_tasks()
    [cancelled] = submit(batcher, b"2")
    await run_ready_tasks()
    cancelled.cancel()
    await run_ready_tasks()
    [third] = submit(batcher, b"3")
    await run_ready_tasks()
    model.allow()
    assert [(await first).label, (await third).label] == ["1", "3"]
    assert model.predicts == [[b"1"], [b"3"]]


@pytest.mark.parametrize("outcome", [Prediction, ModelUnavailable, InputRejected])
async def test_a_request_cancelled_during_a_predict_does_not_affect_the_others(outcome: type) -> None:
    model = FakeModel()
    batcher = batcher_of(model)
    image = {Prediction: b"4", ModelUnavailable: UNAVAILABLE, InputRejected: INVALID}[outcome]
    _, cancelled, second, last = submit(batcher, b"1", b"2", b"3", image)
    model.allow(1)
    await run_ready_tasks()
    assert model.predicts == [[b"1"], [b"2", b"3", image]]
    cancelled.cancel()
    await run_ready_tasks()
    model.allow()
    outcomes = await asyncio.gather(second, last, return_exceptions=True)
    expected = ModelUnavailable if outcome is ModelUnavailable else Prediction
    assert [type(each) for each in outcomes] == [expected, outcome]
    assert (await batcher.classify(b"5")).label == "5"


async def test_a_request_cancelled_just_before_its_batch_is_taken_is_not_sent() -> None:
    model = FakeModel()
    first, cancelled, third = submit(batcher_of(model), b"1", b"2", b"3")
    await run_ready_tasks()
    model.allow()
    cancelled.cancel()  # its task runs in the same iteration of the event loop in which the batch is taken, but later
    assert [(await first).label, (await third).label] == ["1", "3"]
    assert model.predicts == [[b"1"], [b"3"]]


async def test_a_request_to_a_full_queue_is_refused() -> None:
    model = FakeModel()
    batcher = batcher_of(model, max_batch_size=1, max_queued=1)
    requests = submit(batcher, b"1", b"2", b"3")
    await run_ready_tasks()
    with pytest.raises(Overloaded, match=r"the fast model's queue is full \(limit: 1\)"):
        requests[2].result()
    model.allow()
    assert [(await request).label for request in requests[:2]] == ["1", "2"]
    assert (await batcher.classify(b"4")).label == "4"


async def test_a_request_that_times_out_in_the_queue_is_refused_and_leaves_it() -> None:
    model = FakeModel()
    batcher = batcher_of(model, max_batch_size=1, max_queued=1, queue_timeout=timedelta(milliseconds=20))
    [first] = submit(batcher, b"1")
    await run_ready_tasks()
    for _ in range(3):
        with pytest.raises(Overloaded, match=r"timed out after 0\.02 s waiting for the fast model"):
            await batcher.classify(b"2")
    model.allow()
    assert (await first).label == "1", "the queue timeout does not apply to the Predict"
    assert (await batcher.classify(b"3")).label == "3"
