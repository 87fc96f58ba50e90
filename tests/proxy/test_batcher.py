"""One Predict for all who wait, none of whom pays for another, and nobody waits for company."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from harness.stack import Stack
from proxy.batcher import ENOUGH_BYTES, Batcher
from proxy.errors import Overloaded
from tests.images import encoded
from tests.proxy.test_endpoints import JPEG, proxy_with
from tf_serving_client import ImageRejected, ModelTooSlow, ModelUnavailable, Prediction

MINUTE = timedelta(minutes=1)
BROKEN, FATAL, SLOW, ODD = b"broken", b"fatal", b"slow", b"odd"


class SlowModel:
    """Answers when it is told to. An image is its own label, but for some that the model does not stand."""

    def __init__(self, deadline: timedelta = MINUTE) -> None:
        self.model, self.deadline = "slow", deadline
        self.asked: list[list[bytes]] = []
        self._may_answer = asyncio.Semaphore(0)

    def answer(self, predicts: int = 1_000) -> None:
        for _ in range(predicts):
            self._may_answer.release()

    async def classify(self, payloads: Sequence[bytes]) -> list[Prediction]:
        self.asked.append([*payloads])
        await self._may_answer.acquire()
        if FATAL in payloads:
            raise ModelUnavailable(self.model, "gone")
        if SLOW in payloads:
            raise ModelTooSlow(self.model, "too slow")
        if ODD in payloads:
            raise RuntimeError("a fault of ours")
        if BROKEN in payloads:
            raise ImageRejected(self.model, "one of them is broken")
        return [Prediction(self.model, 1, ((payload.decode(), 1.0),)) for payload in payloads]


def posted(batcher: Batcher, *images: bytes) -> list[asyncio.Task[Prediction]]:
    return [asyncio.create_task(batcher.classify(image)) for image in images]


async def turns(count: int = 5) -> None:
    """Of the event loop: what is ready has happened after them."""
    for _ in range(count):
        await asyncio.sleep(0)


async def test_where_a_place_is_free_an_image_goes_at_once_and_alone() -> None:
    model = SlowModel()
    visits = posted(Batcher(model, at_once=2, size=8, waiting=0), b"1", b"2")
    await turns()
    assert model.asked == [[b"1"], [b"2"]]
    model.answer()
    assert [(await visit).label for visit in visits] == ["1", "2"]


async def test_those_that_wait_go_together_in_their_order_and_each_gets_its_own_answer() -> None:
    model = SlowModel()
    visits = posted(Batcher(model, at_once=1, size=3, waiting=9), b"1", b"2", b"3", b"4", b"5", b"6")
    await turns()
    assert model.asked == [[b"1"]]
    model.answer()
    assert [(await visit).label for visit in visits] == ["1", "2", "3", "4", "5", "6"]
    assert model.asked == [[b"1"], [b"2", b"3", b"4"], [b"5", b"6"]]


async def test_an_image_that_cannot_be_read_fails_alone() -> None:
    model = SlowModel()
    model.answer()
    batcher = Batcher(model, at_once=1, size=8, waiting=9)
    outcomes = await asyncio.gather(*posted(batcher, b"1", b"2", BROKEN, b"4"), return_exceptions=True)
    assert model.asked == [[b"1"], [b"2", BROKEN, b"4"], [b"2"], [BROKEN], [b"4"]]
    assert isinstance(outcomes[2], ImageRejected)
    assert [outcome.label for outcome in outcomes if isinstance(outcome, Prediction)] == ["1", "2", "4"]


async def test_whoever_comes_later_is_not_asked_one_by_one() -> None:
    model = SlowModel()
    batcher = Batcher(model, at_once=1, size=2, waiting=9)
    visits = posted(batcher, b"1", BROKEN, b"3", b"4", b"5")
    model.answer()
    outcomes = await asyncio.gather(*visits, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [Prediction, ImageRejected, Prediction, Prediction, Prediction]
    assert model.asked == [[b"1"], [BROKEN, b"3"], [BROKEN], [b"3"], [b"4", b"5"]]


@pytest.mark.parametrize(
    ("image", "error"),
    [(FATAL, ModelUnavailable), (SLOW, ModelTooSlow), (ODD, RuntimeError)],
    ids=str,
)
async def test_what_becomes_of_a_predict_becomes_of_all_its_images_and_of_nobody_after_them(
    image: bytes, error: type[Exception]
) -> None:
    model = SlowModel()
    model.answer()
    batcher = Batcher(model, at_once=1, size=2, waiting=9)
    outcomes = await asyncio.gather(*posted(batcher, b"1", image, b"3", b"4"), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [Prediction, error, error, Prediction]


async def test_a_call_that_is_cancelled_is_an_error_for_those_who_asked() -> None:
    """As grpc.aio does to all calls of a channel that is closed."""

    class Closed(SlowModel):
        async def classify(self, payloads: Sequence[bytes]) -> list[Prediction]:
            raise asyncio.CancelledError

    batcher = Batcher(Closed(), at_once=1, size=8, waiting=9)
    outcomes = await asyncio.gather(*posted(batcher, b"1", b"2", b"3"), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [ModelUnavailable] * 3


async def test_a_model_that_is_too_slow_for_many_is_sent_fewer_until_it_is_quick_again() -> None:
    model = SlowModel()
    model.answer()
    batcher = Batcher(model, at_once=1, size=4, waiting=99)
    outcomes = await asyncio.gather(*posted(batcher, b"1", b"2", SLOW, *[b"3"] * 20), return_exceptions=True)
    assert [len(images) for images in model.asked] == [1, 4, 2, 3, 4, 4, 4, 1]
    assert sum(isinstance(outcome, ModelTooSlow) for outcome in outcomes) == 4


async def test_one_predict_holds_no_more_bytes_than_any_server_takes() -> None:
    model = SlowModel()
    model.answer()
    large = b"x" * (ENOUGH_BYTES // 2)
    await asyncio.gather(*posted(Batcher(model, at_once=1, size=8, waiting=9), b"1", b"2", large, large, b"5" * 9))
    assert [len(images) for images in model.asked] == [1, 2, 2]


async def test_an_image_larger_than_that_goes_alone() -> None:
    model = SlowModel()
    model.answer()
    huge = b"x" * (ENOUGH_BYTES + 1)
    await asyncio.gather(*posted(Batcher(model, at_once=1, size=8, waiting=9), b"1", huge, b"3"))
    assert [len(images) for images in model.asked] == [1, 1, 1]


async def test_those_asked_again_one_by_one_wait_no_longer_than_others() -> None:
    model = SlowModel(deadline=timedelta(milliseconds=50))
    batcher = Batcher(model, at_once=1, size=8, waiting=9)
    visits = posted(batcher, b"1", BROKEN, b"3")
    model.answer(2)  # the first alone, then the others together: now the broken one is asked again
    with pytest.raises(Overloaded):
        await visits[2]
    assert model.asked == [[b"1"], [BROKEN, b"3"], [BROKEN]]
    model.answer()
    with pytest.raises(ImageRejected):
        await visits[1]


async def test_whoever_leaves_the_line_is_not_asked_for_and_makes_room() -> None:
    model = SlowModel()
    batcher = Batcher(model, at_once=1, size=8, waiting=1)
    [first] = posted(batcher, b"1")
    await turns()
    [left] = posted(batcher, b"2")
    await turns()
    left.cancel()
    await turns()
    [third] = posted(batcher, b"3")
    await turns()
    model.answer()
    assert [(await first).label, (await third).label] == ["1", "3"]
    assert model.asked == [[b"1"], [b"3"]]


@pytest.mark.parametrize("fate", [Prediction, ModelUnavailable, ImageRejected])
async def test_whoever_leaves_in_mid_predict_takes_nobody_along(fate: type) -> None:
    model = SlowModel()
    batcher = Batcher(model, at_once=1, size=8, waiting=9)
    image = {Prediction: b"4", ModelUnavailable: FATAL, ImageRejected: BROKEN}[fate]
    _, leaving, staying, last = posted(batcher, b"1", b"2", b"3", image)
    model.answer(1)
    await turns()
    assert model.asked == [[b"1"], [b"2", b"3", image]]
    leaving.cancel()
    await turns()
    model.answer()
    outcomes = await asyncio.gather(staying, last, return_exceptions=True)
    neighbour = ModelUnavailable if fate is ModelUnavailable else Prediction
    assert [type(outcome) for outcome in outcomes] == [neighbour, fate]
    assert (await batcher.classify(b"5")).label == "5"


async def test_whoever_leaves_as_the_turn_comes_is_not_asked_for() -> None:
    model = SlowModel()
    batcher = Batcher(model, at_once=1, size=8, waiting=9)
    first, leaving, staying = posted(batcher, b"1", b"2", b"3")
    await turns()
    model.answer()
    leaving.cancel()  # it hears of that in the turn in which the first is answered, and after it
    assert [(await first).label, (await staying).label] == ["1", "3"]
    assert model.asked == [[b"1"], [b"3"]]


async def test_whoever_finds_the_line_full_is_refused() -> None:
    model = SlowModel()
    batcher = Batcher(model, at_once=1, size=1, waiting=1)
    visits = posted(batcher, b"1", b"2", b"3")
    await turns()
    with pytest.raises(Overloaded, match="1 requests are waiting"):
        visits[2].result()
    model.answer()
    assert [(await visit).label for visit in visits[:2]] == ["1", "2"]
    assert (await batcher.classify(b"4")).label == "4"


async def test_whoever_gets_no_turn_in_time_is_told_so_and_leaves_the_line() -> None:
    model = SlowModel(deadline=timedelta(milliseconds=20))
    [first] = posted(batcher := Batcher(model, at_once=1, size=1, waiting=1), b"1")
    await turns()
    for _ in range(3):
        with pytest.raises(Overloaded, match=r"no turn came in 0\.02 s"):
            await batcher.classify(b"2")
    model.answer()
    assert (await first).label == "1", "its turn has come: it waits for as long as the model may take"
    assert (await batcher.classify(b"3")).label == "3"


async def test_a_crowd_gets_answers_and_503s_and_nothing_else(stack: Stack, tmp_path: Path) -> None:
    image = encoded(size=(256, 256))
    told = {"FAST_MODEL_CONCURRENCY": "1", "FAST_MODEL_BATCH_SIZE": "1", "MAX_WAITING": "4"}
    async with proxy_with(stack, tmp_path, **told) as (client, _):
        responses = await asyncio.gather(*(client.post("/predict", content=image, headers=JPEG) for _ in range(40)))
        refused = [response for response in responses if response.status_code != 200]
        assert 0 < len(refused) < 40
        assert {response.status_code for response in refused} == {503}
        assert {response.headers["retry-after"] for response in refused} == {"1"}
        assert {response.json()["type"] for response in refused} == {"urn:sync-async:problem:overloaded"}
        assert (await client.get("/predict/test")).status_code == 200


@pytest.mark.parametrize("crowd", [16, 64])
async def test_a_crowd_that_fits_the_line_is_answered_whole(crowd: int, stack: Stack) -> None:
    async with stack.client() as client:
        responses = await asyncio.gather(*(client.get("/predict/test") for _ in range(crowd)))
        assert {response.status_code for response in responses} == {200}
        assert len({response.json()["job_id"] for response in responses}) == crowd
    await stack.wait_until_idle()


async def test_in_a_crowd_only_what_the_model_cannot_read_is_refused(stack: Stack, client: httpx.AsyncClient) -> None:
    """Every image is answered as it is when it comes alone."""
    whole = [encoded(size=(64 + 8 * number, 64)) for number in range(8)]
    cut_off = [image[: len(image) * 3 // 4] for image in whole]
    sent = [image for pair in zip(whole, cut_off, strict=True) for image in pair]
    alone = [await client.post("/predict", content=image, headers=JPEG) for image in sent]
    crowd = await asyncio.gather(*(client.post("/predict", content=image, headers=JPEG) for image in sent))
    assert [response.status_code for response in crowd] == [200, 422] * 8
    assert [answer(response) for response in crowd] == [answer(response) for response in alone]
    await stack.wait_until_idle()


def answer(response: httpx.Response) -> object:
    return response.json().get("mobilenet_v2", response.json().get("type"))
