"""Jobs that an older version queued are finished by the current one: the keys and fields in Redis did not change."""

import shutil
import subprocess
from pathlib import Path
from typing import Final

import httpx
import pytest

from harness.process import PYTHON, ROOT, Process, free_port
from harness.stack import Stack
from harness.waiting import wait_until
from job_store import JobStatus, JobStore
from tests.images import encode_image

OLD_COMMIT: Final = "0e23dc8c7a8066b18d3e5a9127152ce40a822445"
"""The last commit before most names in the code changed, and the log key `hop` became `event`."""


@pytest.fixture
def old_proxy(stack: Stack, tmp_path: Path) -> Process:
    """The proxy of `OLD_COMMIT` on the stack's Redis and models, with a port of its own. Not yet started."""
    if not shutil.which("git"):
        pytest.skip("needs git, to read an older commit")
    command = ["git", "archive", "--format=tar", OLD_COMMIT]
    archive = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    if archive.returncode != 0:
        pytest.skip(f"needs the git history (not a shallow clone): {archive.stderr.decode().strip()}")
    tree = tmp_path / "old"
    tree.mkdir()
    subprocess.run(["tar", "-x", "-C", tree], input=archive.stdout, check=True)
    # Python imports the old packages because `-m` puts the working directory first on the path.
    run_in_tree = ["sh", "-c", 'cd "$0" && exec "$@"', str(tree), PYTHON, "-m", "proxy"]
    return Process(run_in_tree, {**stack.settings, "PORT": str(free_port())}, tmp_path / "old-proxy")


async def queue_jobs(old_proxy: Process, images: list[bytes]) -> list[str]:
    url = f"http://127.0.0.1:{old_proxy.environment['PORT']}"
    async with httpx.AsyncClient(base_url=url, timeout=60, trust_env=False) as client:

        async def is_up() -> bool:
            old_proxy.check_running()
            try:
                return (await client.get("/health")).is_success
            except httpx.TransportError:
                return False

        await wait_until(is_up, within=60)
        jpeg = {"content-type": "image/jpeg"}
        responses = [await client.post("/predict", content=image, headers=jpeg) for image in images]
    return [response.json()["job_id"] for response in responses]


async def test_jobs_queued_before_the_upgrade_are_finished_after_it(
    stack: Stack, client: httpx.AsyncClient, old_proxy: Process, cat: bytes
) -> None:
    stack.worker.stop()
    try:
        with old_proxy:
            job_ids = await queue_jobs(old_proxy, [cat, encode_image(), encode_image("L")])
        assert len(set(job_ids)) == 3
        assert old_proxy.logged("hop=", "process=proxy") >= 3, "the jobs should have come from the old code"
        queued = [(await client.get(f"/job/{job_id}")).json()[job_id]["prediction"] for job_id in job_ids]
        assert queued == [""] * 3
    finally:
        stack.worker.start()
    await stack.wait_until_idle()
    async with stack.redis.client() as redis:
        jobs = [await JobStore(redis).find(job_id) for job_id in job_ids]
    assert [(job.status, job.attempts, job.error) for job in jobs if job] == [(JobStatus.SUCCEEDED, 1, None)] * 3
    for job in filter(None, jobs):
        assert job.provisional["model"] == "mobilenet_v2"
        assert job.output
        assert (await client.get(f"/job/{job.id}")).json()[job.id]["prediction"] == job.output["label"]
