"""What the tests do with the stack: submit jobs, break and mend the models, and look at the responses and logs."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

from harness.process import Process
from harness.stack import Stack
from harness.waiting import wait_until
from job_store import JobStatus, JobStore
from service_settings import IMAGENET_LABELS
from tests.chaos.small_models import ACCURATE, FAST, image_of, index_of
from tests.mismatch import broken_models
from tf_serving_client import read_labels

JOBS: Final = 50
TIMEOUT_S: Final = 60.0
"""Many times longer than a new version takes to be found on an idle machine."""
PNG: Final = {"content-type": "image/png"}


@dataclass(slots=True)
class Breakable:
    stack: Stack
    good_models: Path
    store: JobStore
    client: httpx.AsyncClient

    @property
    def services(self) -> Sequence[Process]:
        return self.stack.proxy, self.stack.worker

    async def post(self, number: int = 1) -> httpx.Response:
        return await self.client.post("/predict", content=image_of(number), headers=PNG)

    async def submit(self) -> list[str]:
        """Queue the jobs without the proxy, which may refuse them."""
        return [await self.store.submit(image_of(number), {}) for number in range(JOBS)]

    async def publish(self, breaks: broken_models.Break | None = None) -> None:
        """Publish a new version of both models, and wait until it is served."""
        versions = {
            model: broken_models.publish(self.good_models / model / "1", self.stack.models / model, breaks)
            for model in (FAST, ACCURATE)
        }
        await self.wait_for_states(versions, "AVAILABLE")

    def publish_corrupt(self) -> dict[str, int]:
        """Publish a version of both models that cannot be loaded. Return their numbers."""
        return {
            model: broken_models.publish_corrupt(self.good_models / model / "1", self.stack.models / model)
            for model in (FAST, ACCURATE)
        }

    def remove_all_versions(self) -> dict[str, int]:
        """Return the newest version of each model. Their numbers are not used again."""
        newest = {}
        for model in (FAST, ACCURATE):
            versions = [child for child in (self.stack.models / model).iterdir() if child.name.isdecimal()]
            newest[model] = max(int(version.name) for version in versions)
            for version in versions:
                version.rename(version.with_name(f"removed-{version.name}"))
        return newest

    async def wait_for_states(self, versions: dict[str, int], state: str) -> None:
        async def has_state() -> bool:
            return all([await self.state(model, version) == state for model, version in versions.items()])

        await wait_until(has_state, within=TIMEOUT_S, every=0.1)

    async def state(self, model: str, version: int) -> str:
        port = {FAST: self.stack.fast_port, ACCURATE: self.stack.accurate_port}[model] + 1
        url = f"http://127.0.0.1:{port}/v1/models/{model}"
        async with httpx.AsyncClient(trust_env=False) as client:
            statuses = (await client.get(url)).json()["model_version_status"]
        return next((status["state"] for status in statuses if int(status["version"]) == version), "")

    async def restart(self, **settings: str) -> None:
        """Restart the proxy and the worker with these settings overridden."""
        for process in self.services:
            process.stop()
            process.configure(**settings)
            process.start()
        await wait_until(self._responds, within=TIMEOUT_S)

    async def _responds(self) -> bool:
        try:
            return (await self.client.get("/health")).is_success
        except httpx.TransportError:
            return False

    async def wait_for_log(self, event: str, cause: str, counts: Sequence[int]) -> None:
        """Wait until both services have logged the event with this cause once more than `counts`."""
        for process, count in zip(self.services, counts, strict=True):
            await wait_until(lambda: process.logged(event, *cause_words(cause)) > count, within=TIMEOUT_S)  # noqa: B023

    def log_counts(self, event: str, cause: str) -> list[int]:
        return [process.logged(event, *cause_words(cause)) for process in self.services]

    async def wait_for_readiness(self, status: int, models: str) -> None:
        """Wait until `/readyz` has this status and reports both models as `ok` or `ng`."""

        async def is_reported() -> bool:
            response = await self.client.get("/readyz")
            states = response.json()
            return (response.status_code, states["fast_model"], states["accurate_model"]) == (status, models, models)

        await wait_until(is_reported, within=TIMEOUT_S)

    async def wait_until_answered(self) -> None:
        async def is_answered() -> bool:
            return (await self.post()).is_success

        await wait_until(is_answered, within=TIMEOUT_S)

    async def assert_all_succeed(self, job_ids: Sequence[str]) -> None:
        labels = read_labels(IMAGENET_LABELS)

        async def have_succeeded() -> bool:
            jobs = [job for job_id in job_ids if (job := await self.store.find(job_id))]
            assert len(jobs) == JOBS, "a job no longer exists"
            assert {job.status for job in jobs} <= {JobStatus.QUEUED, JobStatus.PROCESSING, JobStatus.SUCCEEDED}
            return all(job.status is JobStatus.SUCCEEDED for job in jobs)

        await wait_until(have_succeeded, within=TIMEOUT_S)
        for number, job_id in enumerate(job_ids):
            job = await self.store.find(job_id)
            assert job
            assert job.attempts == 1, "a wrong model costs no attempt"
            assert job.output
            assert job.output["label"] == labels[index_of(number, ACCURATE)]


def cause_words(cause: str) -> Sequence[str]:
    """Logfmt escapes quotes, so the words between them are looked for."""
    return [part for part in json.dumps(cause)[1:-1].split("'") if part]
