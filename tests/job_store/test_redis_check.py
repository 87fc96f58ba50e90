"""A Redis that can lose accepted jobs is refused."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from redis.asyncio import Redis

from background_task import background_task
from deploy.local import redis_server as redis_on_this_machine
from harness.process import free_port
from harness.redis import RedisServer
from harness.waiting import wait_until
from job_store import JobStore, StoreUnavailable, UnsuitableRedis, check_redis, check_redis_when_up, connect
from tests.job_store.jobs import submit


@pytest_asyncio.fixture
async def own_redis(own_redis_server: RedisServer) -> AsyncIterator[Redis]:
    await own_redis_server.start()
    async with own_redis_server.client() as redis:
        yield redis


async def test_a_redis_that_never_evicts_is_accepted_without_a_word(
    own_redis: Redis, capsys: pytest.CaptureFixture[str]
) -> None:
    await check_redis(own_redis)
    await own_redis.config_set("maxmemory", 0)
    await check_redis(own_redis)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("policy", ["allkeys-lru", "allkeys-random", "volatile-lfu", "volatile-ttl"])
@pytest.mark.parametrize("config", ["allowed", "forbidden"])
async def test_a_redis_that_evicts_is_refused(
    own_redis: Redis, own_redis_server: RedisServer, policy: str, config: str
) -> None:
    """Every key has a time to live, so the policies for such keys evict jobs too."""
    await own_redis.config_set("maxmemory-policy", policy)
    await own_redis.acl_setuser("managed", enabled=True, nopass=True, keys=["*"], commands=["+@all", "-config"])
    url = own_redis_server.url if config == "allowed" else own_redis_server.url.replace("//", "//managed:any@")
    async with connect(url, name="test", timeout=timedelta(seconds=5)) as redis:
        with pytest.raises(UnsuitableRedis, match=rf"maxmemory-policy {policy}\).* set maxmemory-policy to noeviction"):
            await check_redis(redis)


@pytest.mark.parametrize(
    ("maxmemory", "commands", "warning"),
    [
        (0, ["+@all"], "Redis would evict jobs if its maxmemory were set"),
        (10**9, ["+@all", "-config", "-info"], "Redis does not say whether it evicts keys"),
    ],
    ids=["no limit yet", "neither CONFIG nor INFO"],
)
async def test_a_redis_that_may_evict_is_accepted_with_a_warning(
    own_redis: Redis,
    own_redis_server: RedisServer,
    capsys: pytest.CaptureFixture[str],
    maxmemory: int,
    commands: list[str],
    warning: str,
) -> None:
    await own_redis.config_set("maxmemory", maxmemory)
    await own_redis.config_set("maxmemory-policy", "allkeys-lru")
    await own_redis.acl_setuser("managed", enabled=True, nopass=True, keys=["*"], commands=commands)
    url = own_redis_server.url.replace("//", "//managed:any@")
    async with connect(url, name="test", timeout=timedelta(seconds=5)) as redis:
        await check_redis(redis)
    output = capsys.readouterr().out
    assert "eviction possible" in output
    assert warning in output


async def test_a_redis_that_is_unsuitable_when_it_responds_at_last_gets_no_job(
    own_redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = redis_on_this_machine.command
    monkeypatch.setattr("job_store.redis_check.RETRY_INTERVAL_S", 0.02)
    monkeypatch.setattr(
        redis_on_this_machine,
        "command",
        lambda *args, **options: [*command(*args, **options), "--maxmemory-policy", "allkeys-lru"],
    )
    async with own_redis_server.client() as redis:
        store = JobStore(redis)
        async with background_task(check_redis_when_up(store)) as check:
            await own_redis_server.start()
            await asyncio.wait_for(check, 20)
        with pytest.raises(StoreUnavailable, match="maxmemory-policy allkeys-lru"):
            await submit(store, b"payload")


@pytest.mark.slow
async def test_a_cluster_of_several_primaries_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = redis_on_this_machine.command
    monkeypatch.setattr(
        redis_on_this_machine,
        "command",
        lambda *args, **options: [*command(*args, **options), "--cluster-enabled", "yes"],
    )
    async with AsyncExitStack() as stack:
        nodes: list[Redis] = []
        ports: list[int] = []
        for number, slots in enumerate((range(8_192), range(8_192, 16_384))):
            (tmp_path / str(number)).mkdir()
            server = RedisServer(tmp_path / str(number))
            while server.port > 55_535:  # a cluster node also listens on its port + 10,000
                server.port = free_port()
            await server.start()
            stack.callback(server.stop)
            nodes.append(await stack.enter_async_context(server.client()))
            ports.append(server.port)
            await nodes[-1].execute_command("CLUSTER ADDSLOTS", *slots)  # type: ignore[no-untyped-call]
        await nodes[0].execute_command("CLUSTER MEET", "127.0.0.1", ports[1])  # type: ignore[no-untyped-call]

        async def is_cluster_up() -> bool:
            return bool((await nodes[0].cluster("INFO"))["cluster_state"] == "ok")

        await wait_until(is_cluster_up, within=60)
        with pytest.raises(UnsuitableRedis, match="Redis Cluster is not supported: this one has 2 primaries"):
            await check_redis(nodes[0])
