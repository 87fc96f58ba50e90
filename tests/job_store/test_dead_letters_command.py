"""`python -m job_store.dead_letters`, run as operators run it."""

import asyncio
import json
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from harness.process import PYTHON, ROOT
from harness.redis import RedisServer
from job_store import JobStatus, JobStore
from tests.job_store.inspection import backlog, stall
from tests.job_store.jobs import add_dead_letters, get_job, submit

pytestmark = pytest.mark.slow


class Result(NamedTuple):
    status: int
    output: str
    errors: str


Command = Callable[..., Awaitable[Result]]


async def run(*args: str, **environment: str) -> Result:
    process = await asyncio.create_subprocess_exec(
        PYTHON, "-m", "job_store.dead_letters", *args, cwd=ROOT, env={**os.environ, **environment},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    output, errors = await process.communicate()
    assert process.returncode is not None
    return Result(process.returncode, output.decode(errors="surrogateescape"), errors.decode())


@pytest.fixture
def command(redis_server: RedisServer) -> Command:
    return lambda *args: run(*args, REDIS_URL=redis_server.url)


async def test_list_prints_the_newest_dead_letters_first(store: JobStore, command: Command) -> None:
    assert await command("list") == (0, "there are no dead letters\n", "")
    assert await command("list", "--json") == (0, "[]\n", "")
    _, older, newer = await add_dead_letters(store, b"1", b"2", b"3")
    status, output, errors = await command("list", "--limit", "2")
    rows = [line.split(maxsplit=3) for line in output.splitlines()]
    assert (status, errors) == (0, "")
    assert [(row[0], row[2], row[3]) for row in rows[1:]] == [(newer, "1", "broken"), (older, "1", "broken")]
    job = await get_job(store, newer)
    assert job.completed_at
    failed_at = job.completed_at.isoformat(timespec="seconds")
    assert rows[1][1] == failed_at
    listed = json.loads((await command("list", "--json", "--limit", "1")).output)
    assert listed == [{"id": newer, "failed_at": failed_at, "attempts": 1, "error": "broken"}]


async def test_show_prints_a_dead_letter_and_writes_its_payload(
    store: JobStore, command: Command, tmp_path: Path
) -> None:
    (job_id,) = await add_dead_letters(store, b"\xffpayload")
    file = tmp_path / "payload"
    status, output, errors = await command("show", job_id, "--payload", str(file))
    assert (status, errors) == (0, "")
    assert all(text in output for text in (job_id, "broken", "Persian cat", "8 bytes", str(file)))
    assert file.read_bytes() == b"\xffpayload"
    assert (await command("show", job_id, "--payload", "-")).output == "\udcffpayload"
    no_directory = await command("show", job_id, "--payload", str(tmp_path / "none" / "payload"))
    assert (no_directory.status, "No such file or directory" in no_directory.errors) == (1, True)


async def test_an_error_cannot_control_the_terminal(store: JobStore, command: Command) -> None:
    await submit(store, b"payload")
    (claim,) = (await store.claim(1)).claims
    await store.fail(claim, "first line\nsecond line \x1b[31m")
    for args in (["list"], ["show", claim.job_id]):
        assert "first line second line  [31m\n" in (await command(*args)).output


async def test_replay_queues_the_given_dead_letters(store: JobStore, command: Command) -> None:
    first, second, other = await add_dead_letters(store, b"1", b"2", b"3")
    status, output, errors = await command("replay", second, first)
    assert (status, output, errors) == (0, f"{second}: queued again\n{first}: queued again\n", "")
    assert await backlog(store) == [second, first]
    assert (await get_job(store, other)).status is JobStatus.FAILED


async def test_discard_deletes_the_given_dead_letters(store: JobStore, command: Command) -> None:
    first, second = await add_dead_letters(store, b"1", b"2")
    assert await command("discard", first) == (0, f"{first}: discarded\n", "")
    payloads = await store.redis.mget(store.keys.payload(first), store.keys.payload(second))
    assert payloads == [None, b"2"]


@pytest.mark.parametrize(("name", "outcome"), [("replay", "queued again"), ("discard", "discarded")])
async def test_all_selects_every_dead_letter(store: JobStore, command: Command, name: str, outcome: str) -> None:
    ids = await add_dead_letters(store, b"1", b"2")
    assert await command(name, "--all") == (0, "".join(f"{job_id}: {outcome}\n" for job_id in ids[::-1]), "")
    assert await command(name, "--all") == (0, "there are no dead letters\n", "")


@pytest.mark.parametrize("args", [["show"], ["replay"], ["discard"]], ids=str)
async def test_an_unknown_id_is_an_error(store: JobStore, command: Command, args: list[str]) -> None:
    (queued,) = await submit(store, b"payload")
    assert await command(*args, queued) == (1, "", f"dead_letters: {queued}: no such dead letter\n")
    assert await store.redis.get(store.keys.payload(queued)) == b"payload"


async def test_a_missing_payload_is_an_error_and_does_not_stop_the_others(
    store: JobStore, command: Command, tmp_path: Path
) -> None:
    kept, broken = await add_dead_letters(store, b"1", b"2")
    await store.redis.delete(store.keys.payload(broken))
    file = tmp_path / "payload"
    status, output, errors = await command("show", broken, "--payload", str(file))
    assert (status, "no longer stored" in output, "no longer stored" in errors) == (1, True, True)
    assert not file.exists()
    status, output, errors = await command("replay", "--all")
    assert (status, output) == (1, f"{kept}: queued again\n")
    assert errors == f"dead_letters: {broken}: its payload is no longer stored, so it cannot be replayed; discard it\n"


@pytest.mark.parametrize("args", [[], ["replay"], ["discard", "id", "--all"], ["list", "--limit", "0"]], ids=str)
async def test_invalid_arguments_are_an_error(args: list[str]) -> None:
    status, output, errors = await run(*args)
    assert (status, output) == (2, "")
    assert errors.startswith("usage: python -m job_store.dead_letters")


async def test_an_unavailable_redis_is_an_error_of_one_line(own_redis_server: RedisServer) -> None:
    url = own_redis_server.url
    not_running = await run("list", REDIS_URL=url)
    await own_redis_server.start()
    with stall(own_redis_server):
        stalled = await run("replay", "--all", REDIS_URL=url, REDIS_TIMEOUT="0.1")
    for status, output, errors in (not_running, stalled):
        assert (status, output, errors.count("\n")) == (2, "", 1)
        assert errors.startswith("dead_letters: Redis command failed: ")
    assert f"connecting to 127.0.0.1:{own_redis_server.port}" in not_running.errors
    assert "Timeout" in stalled.errors


async def test_an_invalid_setting_is_reported_without_its_password() -> None:
    status, output, errors = await run("list", REDIS_URL="http://user:secret@localhost")
    assert (status, output) == (1, "")
    assert errors.startswith("dead_letters: REDIS_URL")
    assert "secret" not in errors
