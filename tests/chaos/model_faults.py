"""A model server is killed at work, or is given a new version to serve."""

import asyncio
import shutil
import signal
from collections.abc import Mapping
from typing import Final

import httpx

from harness.process import Process
from harness.waiting import wait_until
from tests.chaos.fault import Fault, reached
from tests.chaos.link import Link
from tests.chaos.service import Service
from tests.chaos.small_models import ACCURATE, PNG, publish

RECOVERS_WITHIN_S: Final = 60.0
"""Most of it is TensorFlow's start, which takes five seconds on two idle cores and many times that on busy ones."""


async def accurate_model_is_killed(service: Service) -> None:
    await kill_at_work(service.accurate, service.victim.to_model)


async def fast_model_is_killed(service: Service) -> None:
    await kill_at_work(service.fast, service.to_fast)


async def kill_at_work(server: Process, link: Link) -> None:
    """In the middle of a Predict that has arrived and is not answered."""
    await reached(link.stop_at(PNG, "request", delivered=False))
    server.send(signal.SIGSTOP)
    link.restore()
    await asyncio.sleep(0.1)
    await asyncio.to_thread(server.kill)
    server.start()


async def new_version_is_published(service: Service) -> None:
    """The next version takes over from the one before, which is then removed."""
    base_path = service.models / ACCURATE
    old = max(int(version.name) for version in base_path.iterdir() if version.name.isdigit())
    publish(old + 1, base_path / str(old), base_path)
    await wait_until(lambda: states(service) == {old + 1: "AVAILABLE", old: "END"}, within=30)
    shutil.rmtree(base_path / str(old))


def states(service: Service) -> Mapping[int, str]:
    """The newest two versions and how they are."""
    url = f"http://127.0.0.1:{service.accurate_rest_port}/v1/models/{ACCURATE}"
    versions = httpx.get(url, trust_env=False).json()["model_version_status"]
    return {int(version["version"]): version["state"] for version in versions[:2]}


FAULTS: Final = [
    Fault("accurate model server killed", accurate_model_is_killed, recovers_within_s=RECOVERS_WITHIN_S),
    Fault("fast model server killed", fast_model_is_killed, recovers_within_s=RECOVERS_WITHIN_S),
    Fault("new version of the accurate model", new_version_is_published),
]
