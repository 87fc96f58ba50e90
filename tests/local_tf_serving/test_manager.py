"""The life of versions, step by step."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.waiting import wait_until
from local_tf_serving.errors import Code, InvalidArgument, NotFound, ServingError
from local_tf_serving.manager import Pace
from tests.local_tf_serving.life import Life


@pytest.fixture
def start(tmp_path: Path) -> Callable[..., Life]:
    def start(**pace: float) -> Life:
        return Life(tmp_path, Pace(**{"max_load_retries": 2, "load_retry_seconds": 60, **pace}))  # type: ignore[arg-type]

    return start


def test_only_the_newest_version_is_loaded(start: Callable[..., Life]) -> None:
    life = start()
    life.publish(9)
    life.publish(10)
    assert life.tick() == {10: "AVAILABLE"}
    assert [version.number for version in life.outcomes] == [10]


def test_a_new_version_answers_before_the_old_is_unloaded(start: Callable[..., Life]) -> None:
    life = start()
    life.publish(1)
    life.tick()
    life.publish(2)
    with life.manager.servables.use("m", None) as (number, _):
        assert number == 1
        assert life.tick() == {2: "AVAILABLE", 1: "UNLOADING"}
        assert not life.loaded[0].closed
        with life.manager.servables.use("m", None) as (newer, _):
            assert newer == 2
        with pytest.raises(NotFound), life.manager.servables.use("m", 1):
            pass
    assert life.tick(0) == {2: "AVAILABLE", 1: "END"}
    assert [servable.closed for servable in life.loaded] == [True, False]


def test_the_last_user_of_an_unloading_version_wakes_the_manager(start: Callable[..., Life]) -> None:
    life = start()
    life.publish(1)
    life.tick()
    with life.manager.servables.use("m", None), life.manager.servables.use("m", None):
        life.publish(2)
        life.tick()
        life.manager._wake.clear()
    assert life.manager._wake.is_set()


def test_memory_is_given_back_after_every_load_failed_load_and_unload(start: Callable[..., Life]) -> None:
    life = start(max_load_retries=0)
    life.publish(1)
    life.tick()
    assert life.memory_given_back == 1
    life.publish(2)
    life.tick()
    assert life.memory_given_back == 3
    life.publish(3)
    life.broken["3"] = InvalidArgument("bad")
    life.tick()
    assert life.memory_given_back == 4


def test_an_unloaded_version_stays_listed_without_an_error(start: Callable[..., Life]) -> None:
    life = start()
    life.publish(1)
    life.tick()
    life.publish(2)
    assert life.tick() == {2: "AVAILABLE", 1: "END"}
    assert life.error(1) is None


def test_removing_the_newest_directory_rolls_back(start: Callable[..., Life]) -> None:
    life = start()
    life.publish(1)
    life.tick()
    life.publish(2)
    life.tick()
    life.remove(2)
    assert life.tick() == {2: "END", 1: "AVAILABLE"}
    assert [servable.directory.name for servable in life.loaded] == ["1", "2", "1"]


def test_an_emptied_base_path_unloads_everything(start: Callable[..., Life]) -> None:
    life = start()
    life.publish(1)
    life.tick()
    life.remove(1)
    assert life.tick() == {1: "END"}
    life.publish(1)
    assert life.tick() == {1: "AVAILABLE"}


def test_a_missing_base_path_unloads_nothing(start: Callable[..., Life]) -> None:
    life = start()
    life.publish(1)
    life.tick()
    life.base_path.rename(life.base_path.with_name("away"))
    assert life.tick() == {1: "AVAILABLE"}
    life.base_path.with_name("away").rename(life.base_path)
    assert life.tick() == {1: "AVAILABLE"}
    assert life.tries == ["1"]


def test_new_files_in_a_loaded_versions_directory_change_nothing(start: Callable[..., Life]) -> None:
    life = start()
    life.publish(1)
    life.tick()
    (life.base_path / "1" / "new").touch()
    life.tick()
    assert life.tries == ["1"]


def test_a_version_that_fails_is_retried_while_the_old_one_answers_and_then_given_up(
    start: Callable[..., Life],
) -> None:
    life = start()
    life.publish(1)
    life.tick()
    life.publish(2)
    life.broken["2"] = InvalidArgument("bad")
    assert life.tick() == {2: "LOADING", 1: "AVAILABLE"}
    assert life.tick(59) == {2: "LOADING", 1: "AVAILABLE"}
    assert life.tries == ["1", "2"]
    assert life.tick(1) == {2: "LOADING", 1: "AVAILABLE"}
    assert life.tick(60) == {2: "END", 1: "AVAILABLE"}
    assert life.tries == ["1", "2", "2", "2"]
    error = life.error(2)
    assert error is not None
    assert (error.code, error.message) == (Code.INVALID_ARGUMENT, "bad")
    assert error.__traceback__ is None, "its frames would keep a broken model in memory"
    assert [version.state.name for version in life.outcomes] == ["AVAILABLE", "END"]


def test_a_version_given_up_is_tried_again_only_after_its_directory_was_gone(start: Callable[..., Life]) -> None:
    life = start(max_load_retries=0)
    life.publish(1)
    life.broken["1"] = ServingError(Code.DATA_LOSS, "half copied")
    assert life.tick() == {1: "END"}
    life.broken.clear()
    assert life.tick(1000) == {1: "END"}
    life.remove(1)
    assert life.tick() == {1: "END"}
    life.publish(1)
    assert life.tick() == {1: "AVAILABLE"}
    assert life.error(1) is None


def test_a_retry_that_works_out_ends_the_error(start: Callable[..., Life]) -> None:
    life = start()
    life.publish(1)
    life.broken["1"] = InvalidArgument("not all there yet")
    assert life.tick() == {1: "LOADING"}
    life.broken.clear()
    assert life.tick(60) == {1: "AVAILABLE"}
    assert life.error(1) is None


def test_a_newer_version_ends_the_retries_of_a_broken_one(start: Callable[..., Life]) -> None:
    life = start()
    life.publish(1)
    life.broken["1"] = InvalidArgument("bad")
    life.tick()
    life.publish(2)
    assert life.tick() == {2: "AVAILABLE", 1: "END"}
    error = life.error(1)
    assert error is not None
    assert error.message == "bad"
    assert [version.number for version in life.outcomes] == [2], "a version nobody waits for any more is no failure"


def test_an_unforeseen_exception_in_a_load_is_a_failed_load(start: Callable[..., Life]) -> None:
    life = start(max_load_retries=0)
    life.publish(1)
    life.broken["1"] = ZeroDivisionError("no one thought of that")
    assert life.tick() == {1: "END"}
    error = life.error(1)
    assert error is not None
    assert (error.code, error.message) == (Code.UNKNOWN, "ZeroDivisionError('no one thought of that')")


def test_a_version_wanted_again_while_it_drains_comes_back_when_it_is_gone(start: Callable[..., Life]) -> None:
    life = start()
    life.publish(1)
    life.tick()
    with life.manager.servables.use("m", None):
        life.remove(1)
        assert life.tick() == {1: "UNLOADING"}
        life.publish(1)
        assert life.tick() == {1: "UNLOADING"}
    assert life.tick(0) == {1: "END"}
    assert life.tick() == {1: "AVAILABLE"}


@pytest.mark.parametrize(("poll_seconds", "seen"), [(0, {1: "AVAILABLE"}), (-1, {}), (5, {2: "AVAILABLE", 1: "END"})])
def test_the_base_path_is_looked_at_once_never_or_again_and_again(
    start: Callable[..., Life], poll_seconds: float, seen: dict[int, str]
) -> None:
    life = start(poll_seconds=poll_seconds)
    life.publish(1)
    life.tick()
    life.publish(2)
    life.tick(1)
    assert 2 not in life.states()
    assert life.tick(4) == seen


def test_a_version_that_does_not_close_ends_all_the_same(start: Callable[..., Life]) -> None:
    life = start()
    life.publish(1)
    life.tick()
    life.loaded[0].closes = False
    life.publish(2)
    assert life.tick() == {2: "AVAILABLE", 1: "END"}


async def test_its_thread_survives_what_nobody_thought_of(start: Callable[..., Life]) -> None:
    life = start(poll_seconds=0.01)
    life.turned_by_hand = False
    life.memory_is_given_back = False
    life.publish(1)
    thread = threading.Thread(target=life.manager.run)
    thread.start()
    try:
        await wait_until(lambda: life.states() == {1: "AVAILABLE"})
        life.publish(2)
        await wait_until(lambda: life.states() == {2: "AVAILABLE", 1: "END"})
    finally:
        life.manager.stop()
        thread.join()


def test_what_was_never_there_is_not_found(start: Callable[..., Life]) -> None:
    life = start()
    with pytest.raises(NotFound, match="any versions of model m"):
        life.manager.servables.statuses("m", None)
    with pytest.raises(NotFound, match=r"Latest\(m\)"), life.manager.servables.use("m", None):
        pass
