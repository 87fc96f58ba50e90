"""The fast answer goes out in time, with a job or with the true reason why there is none."""

from datetime import timedelta

import pytest

from job_store import JobStore, QueueFull, StoreUnavailable
from proxy.refinement_queue import Accepted, Refinement, Shed
from tf_serving_client import Prediction

PROVISIONAL = Prediction("m", 1, (("cat", 1.0),))
REST = timedelta(seconds=0.2)
FULL, AWAY = Shed("queue-full"), Shed("queue-unavailable")


class ScriptedStore(JobStore):
    """Raises, or returns as an id, what it is told, one after the other."""

    def __init__(self, *outcomes: str | Exception) -> None:
        self.outcomes = list(outcomes)

    async def submit(self, image: bytes, provisional: object) -> str:
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


async def outcomes(refinement: Refinement, times: int) -> list[Accepted | Shed]:
    return [await refinement.submit(b"", PROVISIONAL) for _ in range(times)]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr("proxy.refinement_queue.time.monotonic", lambda: now[0])
    return now


async def test_a_queue_that_did_not_answer_is_left_alone_for_its_rest(clock: list[float]) -> None:
    store = ScriptedStore(StoreUnavailable("gone"), "never asked for")
    assert await outcomes(Refinement(store, REST, REST), 3) == [AWAY] * 3
    assert store.outcomes == ["never asked for"]


async def test_after_its_rest_one_request_tries_and_all_go_on_when_it_is_back(clock: list[float]) -> None:
    refinement = Refinement(ScriptedStore(StoreUnavailable("gone"), "a", "b"), REST, REST)
    assert await outcomes(refinement, 2) == [AWAY, AWAY]
    clock[0] += 0.21
    assert await outcomes(refinement, 2) == [Accepted("a"), Accepted("b")]


async def test_a_queue_that_comes_back_full_is_called_full_and_taken_at_its_word(clock: list[float]) -> None:
    store = ScriptedStore(StoreUnavailable("gone"), QueueFull(), QueueFull(), "there is room again")
    refinement = Refinement(store, REST, REST)
    assert await outcomes(refinement, 1) == [AWAY]
    clock[0] += 0.21
    assert await outcomes(refinement, 3) == [FULL, FULL, Accepted("there is room again")]
