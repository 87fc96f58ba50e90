"""A model server is killed during a Predict, or a new version of its model is published."""

import asyncio
import shutil
import signal
from collections.abc import Mapping
from typing import Final

import httpx

from harness.process import Process
from harness.waiting import wait_until
from tests.chaos.chaos_stack import ChaosStack
from tests.chaos.fault import Fault, wait_for_trigger
from tests.chaos.small_models import ACCURATE, PNG, publish
from tests.chaos.tcp_link import TcpLink

RECOVERY_TIMEOUT_S: Final = 60.0
"""A model server takes many times longer to start on a busy machine than on an idle one."""


async def kill_accurate_model(stack: ChaosStack) -> None:
    """The model is unavailable for longer than the lease. Heartbeats extend the leases of the waiting jobs."""
    await kill_during_predict(stack.accurate, stack.target_worker.model_link, downtime_s=stack.lease_s)


async def kill_fast_model(stack: ChaosStack) -> None:
    await kill_during_predict(stack.fast, stack.fast_model_link)


async def kill_during_predict(server: Process, link: TcpLink, downtime_s: float = 0) -> None:
    await wait_for_trigger(link.stall_at(PNG, "request", forward=False))
    server.send(signal.SIGSTOP)
    link.restore()
    await asyncio.sleep(0.1)  # the request arrives
    await asyncio.to_thread(server.kill)
    await asyncio.sleep(downtime_s)
    server.start()


async def publish_new_version(stack: ChaosStack) -> None:
    """The new version replaces the previous one, whose files are then removed."""
    base_path = stack.models / ACCURATE
    old = max(int(version.name) for version in base_path.iterdir() if version.name.isdigit())
    publish(old + 1, base_path / str(old), base_path)
    await wait_until(lambda: version_states(stack) == {old + 1: "AVAILABLE", old: "END"}, within=30)
    shutil.rmtree(base_path / str(old))


def version_states(stack: ChaosStack) -> Mapping[int, str]:
    """The states of the two newest versions."""
    url = f"http://127.0.0.1:{stack.accurate_rest_port}/v1/models/{ACCURATE}"
    versions = httpx.get(url, trust_env=False).json()["model_version_status"]
    return {int(version["version"]): version["state"] for version in versions[:2]}


FAULTS: Final = [
    Fault("accurate model server killed", kill_accurate_model, recovery_timeout_s=RECOVERY_TIMEOUT_S),
    Fault("fast model server killed", kill_fast_model, recovery_timeout_s=RECOVERY_TIMEOUT_S),
    Fault("new version of the accurate model", publish_new_version),
]
