"""How much a power cut may cost is for whoever runs it to choose."""

from pathlib import Path

import pytest

from deploy.local import redis_server
from deploy.local.settings import LocalSettings
from harness.process import Process, free_port
from harness.redis import RedisServer
from harness.waiting import wait_until


def test_every_second_is_what_nobody_chose() -> None:
    assert LocalSettings().appendfsync == "everysec"


@pytest.mark.parametrize("chosen", ["everysec", "always"])
async def test_redis_writes_its_file_for_good_as_often_as_was_chosen(
    chosen: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APPENDFSYNC", chosen)
    server = RedisServer(tmp_path, port=free_port())
    appendfsync = LocalSettings().appendfsync
    command = redis_server.command(redis_server.find(), port=server.port, directory=tmp_path, appendfsync=appendfsync)
    with Process(command, {}, tmp_path / "log"):
        await wait_until(server.is_up)
        async with server.client() as client:
            assert (await client.config_get("appendfsync"))["appendfsync"] == chosen
