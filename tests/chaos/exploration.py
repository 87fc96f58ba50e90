"""Goes every course that the protocol can take, and says where one of them breaks the promise."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from tests.chaos.protocol import FINAL, Protocol, State


@dataclass(frozen=True)
class Exploration:
    states: int
    courses_end: int
    """States in which nothing is left to do."""
    broken: tuple[str, ...]
    """What is broken, once each."""
    course: tuple[State, ...]
    """The shortest that breaks something."""


def explore(protocol: Protocol) -> Exploration:
    came_from: dict[State, State | None] = {protocol.start: None}
    frontier = deque([protocol.start])
    broken: dict[str, State] = {}
    ends = 0
    while frontier:
        state = frontier.popleft()
        following = [as_it_is_told(each) for each in protocol.next_states(state)]
        ends += not following
        for complaint in complaints_of(state, following):
            broken.setdefault(complaint, state)
        for each in following:
            if each not in came_from:
                came_from[each] = state
                frontier.append(each)
    first = next(iter(broken.values()), None)
    return Exploration(len(came_from), ends, tuple(sorted(broken)), tuple(course_to(first, came_from)))


def complaints_of(state: State, following: list[State]) -> Iterator[str]:
    for number, job in enumerate(state.jobs):
        if len(job.ends) > 1:
            yield "a job has ended twice"
        if job.ends and job.ends[-1] != job.token:
            yield "a job was ended by a worker that did not hold it"
        if job.status not in FINAL and job.entry == "gone":
            yield "a job that has not ended is in no list: it is lost"
        if not following and job.status not in FINAL:
            yield "nothing is left to do, and a job has not ended: it is stuck"
        if not following and job.entry != "gone":
            yield "nothing is left to do, and an entry is left"
        if job.status in FINAL and any(after.jobs[number] != job for after in following):
            yield "a job changed after its end"


def as_it_is_told(state: State) -> State:
    """Workers are all the same, so which of them did what does not matter."""
    return state._replace(workers=tuple(sorted(state.workers)))


def course_to(state: State | None, came_from: dict[State, State | None]) -> list[State]:
    course: list[State] = []
    while state is not None:
        course.append(state)
        state = came_from[state]
    return course[::-1]
