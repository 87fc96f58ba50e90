"""The interval at which Redis syncs its file to disk is configurable. It limits how many jobs a power failure loses."""

from pathlib import Path

import pytest

from deploy.local import redis_server
from deploy.local.settings import LocalSettings
from harness.process import Process, free_port
from harness.redis import RedisServer
from harness.waiting import wait_until


def test_redis_syncs_every_second_by_default() -> None:
    assert LocalSettings().appendfsync == "everysec"


@pytest.mark.parametrize("appendfsync", ["everysec", "always"])
async def test_redis_syncs_as_often_as_configured(
    appendfsync: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APPENDFSYNC", appendfsync)
    server = RedisServer(tmp_path, port=free_port())
    setting = LocalSettings().appendfsync
    command = redis_server.command(redis_server.find(), port=server.port, directory=tmp_path, appendfsync=setting)
    with Process(command, {}, tmp_path / "log"):
        await wait_until(server.is_up)
        async with server.client() as client:
            assert (await client.config_get("appendfsync"))["appendfsync"] == appendfsync
