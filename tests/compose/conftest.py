"""An engine, every image, and both variants of the stack, one after the other."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import pytest
import pytest_asyncio

from harness.waiting import wait_until
from tests.compose import engine
from tests.compose.compose_stack import Stack, is_installed
from tests.compose.variants import BUILT_HERE, LOCAL, TENSORFLOW, VARIANTS, stack_of

HERE: Final = Path(__file__).parent
BUILDING_S: Final = 900
"""The first test that needs the images waits for all of them."""
NOT_TESTED: Final = "the containers were not tested: "


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.timeout(BUILDING_S))


def pytest_unconfigure(config: pytest.Config) -> None:
    """The last lines of all, where nobody can miss them, say that the containers were not tested."""
    terminal: pytest.TerminalReporter | None = config.pluginmanager.get_plugin("terminalreporter")
    skipped = [each for each in terminal.getreports("skipped") if NOT_TESTED in str(each.longrepr)] if terminal else []
    if terminal and skipped:
        [*_, reason] = skipped[0].longrepr
        terminal.write_sep("!", f"{len(skipped)} TESTS OF THE CONTAINERS WERE NOT RUN", red=True, bold=True)
        terminal.write_line(str(reason), red=True, bold=True)
        terminal.write_sep("!", red=True, bold=True)


@pytest.fixture(scope="session")
def docker_engine(slow: None) -> None:
    try:
        engine.bring_up()
    except engine.NoEngine as why:
        pytest.skip(f"{NOT_TESTED}{why}")


@pytest.fixture(scope="session")
def compose_program(slow: None) -> None:
    """docker-compose itself, which reads files without an engine."""
    if is_installed():
        return
    with contextlib.suppress(engine.NoEngine):
        engine.bring_up()
    if not is_installed():
        pytest.skip(f"{NOT_TESTED}there is neither a Docker Engine nor docker-compose")


@pytest.fixture(scope="session")
def stacks(docker_engine: None) -> dict[str, Stack]:
    """Both variants, every image of them built as a person builds them."""
    local = stack_of(LOCAL)
    local.make("build_all", timeout=BUILDING_S)
    assert engine.can_have(BUILT_HERE)
    other = stack_of(TENSORFLOW)
    other.make("build_all", timeout=BUILDING_S)
    return {LOCAL: local, TENSORFLOW: other}


@pytest_asyncio.fixture(scope="session", params=VARIANTS)
async def started(request: pytest.FixtureRequest, stacks: dict[str, Stack]) -> AsyncIterator[Stack]:
    stack = stacks[request.param]
    stack.remove()  # what a run that was ended in the middle left behind
    try:
        stack.make("c_up")
        yield stack
    finally:
        stack.remove()


@pytest_asyncio.fixture
async def stack(started: Stack) -> Stack:
    """The running stack, whole again after what the test before did to it."""
    if not started.is_up():
        started.make("c_up")
    await wait_until(started.is_up, within=120, every=0.2)
    return started
