"""The states that versions go through when directories are published and removed."""

import threading
from pathlib import Path

import pytest

from harness.waiting import wait_until
from local_tf_serving.errors import Code, InvalidArgument, NotFound, ServingError
from tests.local_tf_serving.manager_driver import ManagerDriver


@pytest.fixture
def driver(tmp_path: Path) -> ManagerDriver:
    return ManagerDriver(tmp_path)


def test_only_the_newest_version_is_loaded(driver: ManagerDriver) -> None:
    driver.publish(9)
    driver.publish(10)
    assert driver.tick() == {10: "AVAILABLE"}
    assert [version.number for version in driver.load_results] == [10]


def test_a_new_version_is_available_before_the_old_one_unloads(driver: ManagerDriver) -> None:
    driver.publish(1)
    driver.tick()
    driver.publish(2)
    with driver.manager.servables.servable_handle("m", None) as (number, _):
        assert number == 1
        assert driver.tick() == {2: "AVAILABLE", 1: "UNLOADING"}
        assert not driver.servables[0].is_closed
        with driver.manager.servables.servable_handle("m", None) as (number, _):
            assert number == 2
        with pytest.raises(NotFound), driver.manager.servables.servable_handle("m", 1):
            pass
    assert driver.tick(0) == {2: "AVAILABLE", 1: "END"}
    assert [servable.is_closed for servable in driver.servables] == [True, False]


def test_the_last_request_of_an_unloading_version_wakes_the_manager(driver: ManagerDriver) -> None:
    driver.publish(1)
    driver.tick()
    with driver.manager.servables.servable_handle("m", None), driver.manager.servables.servable_handle("m", None):
        driver.publish(2)
        driver.tick()
        driver.manager._wake.clear()
    assert driver.manager._wake.is_set()


def test_memory_is_trimmed_after_every_load_failed_load_and_unload(tmp_path: Path) -> None:
    driver = ManagerDriver(tmp_path, max_load_retries=0)
    driver.publish(1)
    driver.tick()
    assert driver.trim_count == 1
    driver.publish(2)
    driver.tick()
    assert driver.trim_count == 3
    driver.publish(3)
    driver.load_errors["3"] = InvalidArgument("broken")
    driver.tick()
    assert driver.trim_count == 4


def test_an_unloaded_version_stays_listed_without_an_error(driver: ManagerDriver) -> None:
    driver.publish(1)
    driver.tick()
    driver.publish(2)
    assert driver.tick() == {2: "AVAILABLE", 1: "END"}
    assert driver.error(1) is None


def test_removing_the_newest_directory_rolls_back(driver: ManagerDriver) -> None:
    driver.publish(1)
    driver.tick()
    driver.publish(2)
    driver.tick()
    driver.remove(2)
    assert driver.tick() == {2: "END", 1: "AVAILABLE"}
    assert [servable.directory.name for servable in driver.servables] == ["1", "2", "1"]


def test_an_empty_base_path_unloads_all_versions(driver: ManagerDriver) -> None:
    driver.publish(1)
    driver.tick()
    driver.remove(1)
    assert driver.tick() == {1: "END"}
    driver.publish(1)
    assert driver.tick() == {1: "AVAILABLE"}


def test_a_missing_base_path_unloads_nothing(driver: ManagerDriver) -> None:
    driver.publish(1)
    driver.tick()
    driver.base_path.rename(driver.base_path.with_name("renamed"))
    assert driver.tick() == {1: "AVAILABLE"}
    driver.base_path.with_name("renamed").rename(driver.base_path)
    assert driver.tick() == {1: "AVAILABLE"}
    assert driver.load_attempts == ["1"]


def test_new_files_in_the_directory_of_a_loaded_version_change_nothing(driver: ManagerDriver) -> None:
    driver.publish(1)
    driver.tick()
    (driver.base_path / "1" / "new").touch()
    driver.tick()
    assert driver.load_attempts == ["1"]


def test_the_old_version_stays_available_while_a_failed_load_is_retried_and_abandoned(driver: ManagerDriver) -> None:
    driver.publish(1)
    driver.tick()
    driver.publish(2)
    driver.load_errors["2"] = InvalidArgument("broken")
    assert driver.tick() == {2: "LOADING", 1: "AVAILABLE"}
    assert driver.tick(59) == {2: "LOADING", 1: "AVAILABLE"}
    assert driver.load_attempts == ["1", "2"]
    assert driver.tick(1) == {2: "LOADING", 1: "AVAILABLE"}
    assert driver.tick(60) == {2: "END", 1: "AVAILABLE"}
    assert driver.load_attempts == ["1", "2", "2", "2"]
    error = driver.error(2)
    assert error is not None
    assert (error.code, error.message) == (Code.INVALID_ARGUMENT, "broken")
    assert error.__traceback__ is None, "its frames would keep the broken model in memory"
    assert [version.state.name for version in driver.load_results] == ["AVAILABLE", "END"]


def test_a_failed_version_loads_again_only_after_its_directory_was_removed(tmp_path: Path) -> None:
    driver = ManagerDriver(tmp_path, max_load_retries=0)
    driver.publish(1)
    driver.load_errors["1"] = ServingError(Code.DATA_LOSS, "half copied")
    assert driver.tick() == {1: "END"}
    driver.load_errors.clear()
    assert driver.tick(1000) == {1: "END"}
    driver.remove(1)
    assert driver.tick() == {1: "END"}
    driver.publish(1)
    assert driver.tick() == {1: "AVAILABLE"}
    assert driver.error(1) is None


def test_a_successful_retry_clears_the_error(driver: ManagerDriver) -> None:
    driver.publish(1)
    driver.load_errors["1"] = InvalidArgument("half copied")
    assert driver.tick() == {1: "LOADING"}
    driver.load_errors.clear()
    assert driver.tick(60) == {1: "AVAILABLE"}
    assert driver.error(1) is None


def test_a_newer_version_ends_the_retries_of_a_failed_one(driver: ManagerDriver) -> None:
    driver.publish(1)
    driver.load_errors["1"] = InvalidArgument("broken")
    driver.tick()
    driver.publish(2)
    assert driver.tick() == {2: "AVAILABLE", 1: "END"}
    error = driver.error(1)
    assert error is not None
    assert error.message == "broken"
    assert [version.number for version in driver.load_results] == [2], "a replaced version is not reported as failed"


def test_any_exception_in_a_load_is_a_failed_load(tmp_path: Path) -> None:
    driver = ManagerDriver(tmp_path, max_load_retries=0)
    driver.publish(1)
    driver.load_errors["1"] = ZeroDivisionError("unexpected")
    assert driver.tick() == {1: "END"}
    error = driver.error(1)
    assert error is not None
    assert (error.code, error.message) == (Code.UNKNOWN, "ZeroDivisionError('unexpected')")


def test_a_version_published_again_while_it_unloads_is_loaded_again_afterwards(driver: ManagerDriver) -> None:
    driver.publish(1)
    driver.tick()
    with driver.manager.servables.servable_handle("m", None):
        driver.remove(1)
        assert driver.tick() == {1: "UNLOADING"}
        driver.publish(1)
        assert driver.tick() == {1: "UNLOADING"}
    assert driver.tick(0) == {1: "END"}
    assert driver.tick() == {1: "AVAILABLE"}


@pytest.mark.parametrize(("interval", "expected"), [(0, {1: "AVAILABLE"}), (-1, {}), (5, {2: "AVAILABLE", 1: "END"})])
def test_the_base_path_is_polled_once_never_or_periodically(
    tmp_path: Path, interval: float, expected: dict[int, str]
) -> None:
    driver = ManagerDriver(tmp_path, interval=interval)
    driver.publish(1)
    driver.tick()
    driver.publish(2)
    driver.tick(1)
    assert 2 not in driver.states()
    assert driver.tick(4) == expected


def test_a_version_whose_close_fails_ends_anyway(driver: ManagerDriver) -> None:
    driver.publish(1)
    driver.tick()
    driver.servables[0].close_fails = True
    driver.publish(2)
    assert driver.tick() == {2: "AVAILABLE", 1: "END"}


async def test_the_thread_survives_an_unexpected_exception(tmp_path: Path) -> None:
    driver = ManagerDriver(tmp_path, interval=0.01)
    driver.has_manual_clock = False
    driver.trim_fails = True
    driver.publish(1)
    thread = threading.Thread(target=driver.manager.run)
    thread.start()
    try:
        await wait_until(lambda: driver.states() == {1: "AVAILABLE"})
        driver.publish(2)
        await wait_until(lambda: driver.states() == {2: "AVAILABLE", 1: "END"})
    finally:
        driver.manager.stop()
        thread.join()


def test_an_unknown_version_is_not_found(driver: ManagerDriver) -> None:
    with pytest.raises(NotFound, match="any versions of model m"):
        driver.manager.servables.statuses("m", None)
    with pytest.raises(NotFound, match=r"Latest\(m\)"), driver.manager.servables.servable_handle("m", None):
        pass
