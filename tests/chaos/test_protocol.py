"""Exactly once is an argument: in no course of the protocol is a job lost, stuck or ended twice.

And the argument needs each of its premises: without one, the exploration finds the course in which it goes wrong.
"""

from dataclasses import replace

import pytest

from tests.chaos.exploration import explore
from tests.chaos.protocol import Protocol

RIGHT = Protocol()
LONGER = replace(RIGHT, mishaps=5)


@pytest.mark.parametrize("protocol", [LONGER, Protocol(workers=3, jobs=1, mishaps=5), Protocol(max_attempts=1)])
def test_each_job_ends_exactly_once_and_never_changes_after_that(protocol: Protocol) -> None:
    explored = explore(protocol)
    assert explored.broken == (), explored.course
    assert explored.states > 500
    assert explored.courses_end > 1


def test_without_the_fence_a_late_worker_ends_a_job_again() -> None:
    explored = explore(replace(RIGHT, is_fenced=False))
    assert "a job has ended twice" in explored.broken
    assert "a job changed after its end" in explored.broken
    assert "a job was ended by a worker that did not hold it" in explored.broken


def test_with_the_acknowledgement_before_the_result_a_crash_loses_the_job() -> None:
    explored = explore(replace(RIGHT, acknowledges_with_the_result=False))
    assert "a job that has not ended is in no list: it is lost" in explored.broken
    assert "nothing is left to do, and a job has not ended: it is stuck" in explored.broken
    assert len(explored.course) == 3, "claimed, acknowledged: it does not take more"


def test_without_reclaiming_a_crash_leaves_its_job_stuck() -> None:
    explored = explore(replace(RIGHT, reclaims=False))
    assert explored.broken == (
        "nothing is left to do, and a job has not ended: it is stuck",
        "nothing is left to do, and an entry is left",
    )


def test_a_job_that_crashes_every_worker_fails_after_its_attempts() -> None:
    """Three crashes, two attempts: the courses in which all of them hit one job end with its failure."""
    protocol = Protocol(jobs=1, max_attempts=2, mishaps=3)
    seen, frontier = {protocol.start}, [protocol.start]
    while frontier:
        new = [each for state in frontier for each in protocol.next_states(state) if each not in seen]
        seen.update(new)
        frontier = new
    assert {state.jobs[0].status for state in seen if state.jobs[0].ends} == {"succeeded", "failed"}
    assert all(state.jobs[0].attempts <= 2 for state in seen)
