"""Fixtures: a Docker Engine, all images, and both variants of the stack, one after the other."""

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
TIMEOUT_S: Final = 900
"""For each test, because the first test that needs the images builds all of them."""
SKIP_REASON: Final = "the containers were not tested: "


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.timeout(TIMEOUT_S))


def pytest_unconfigure(config: pytest.Config) -> None:
    """Report at the very end of the output that the containers were not tested."""
    terminal: pytest.TerminalReporter | None = config.pluginmanager.get_plugin("terminalreporter")
    skipped = (
        [report for report in terminal.getreports("skipped") if SKIP_REASON in str(report.longrepr)] if terminal else []
    )
    if terminal and skipped:
        [*_, reason] = skipped[0].longrepr
        terminal.write_sep("!", f"{len(skipped)} TESTS OF THE CONTAINERS WERE SKIPPED", red=True, bold=True)
        terminal.write_line(str(reason), red=True, bold=True)
        terminal.write_sep("!", red=True, bold=True)


@pytest.fixture(scope="session")
def docker_engine(slow: None) -> None:
    try:
        engine.start()
    except engine.NoEngine as error:
        pytest.skip(f"{SKIP_REASON}{error}")


@pytest.fixture(scope="session")
def compose_program(slow: None) -> None:
    """docker-compose, which can read the configuration without an engine."""
    if is_installed():
        return
    with contextlib.suppress(engine.NoEngine):
        engine.start()
    if not is_installed():
        pytest.skip(f"{SKIP_REASON}neither a Docker Engine nor docker-compose is available")


@pytest.fixture(scope="session")
def stacks(docker_engine: None) -> dict[str, Stack]:
    """Both variants of the stack, with all their images built by `make build_all`."""
    local = stack_of(LOCAL)
    local.make("build_all", timeout=TIMEOUT_S)
    assert engine.is_available(BUILT_HERE)
    tensorflow = stack_of(TENSORFLOW)
    tensorflow.make("build_all", timeout=TIMEOUT_S)
    return {LOCAL: local, TENSORFLOW: tensorflow}


@pytest_asyncio.fixture(scope="session", params=VARIANTS)
async def started(request: pytest.FixtureRequest, stacks: dict[str, Stack]) -> AsyncIterator[Stack]:
    stack = stacks[request.param]
    stack.remove()  # in case an earlier run was interrupted
    try:
        stack.make("c_up")
        yield stack
    finally:
        stack.remove()


@pytest_asyncio.fixture
async def stack(started: Stack) -> Stack:
    """The running stack. It is started again if the previous test left it incomplete."""
    if not started.is_up():
        started.make("c_up")
    await wait_until(started.is_up, within=120, every=0.2)
    return started
