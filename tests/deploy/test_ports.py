"""Which ports a run of `make run` takes."""

import socket
from contextlib import closing

import pytest

from deploy.local.ports import NoFreePort, check, free_ports, is_free
from deploy.local.services import Addresses
from deploy.local.settings import LocalSettings


def listening(family: socket.AddressFamily, host: str) -> socket.socket:
    return socket.create_server((host, 0), family=family)


def test_a_port_is_in_use_as_long_as_somebody_listens_on_it() -> None:
    with closing(listening(socket.AF_INET, "127.0.0.1")) as taken:
        port = taken.getsockname()[1]
        assert not is_free(port)
    assert is_free(port)


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6")
def test_a_port_of_the_other_localhost_is_in_use() -> None:
    with closing(listening(socket.AF_INET6, "::1")) as taken:
        assert not is_free(taken.getsockname()[1])


def test_a_machine_without_ipv6_has_free_ports(monkeypatch: pytest.MonkeyPatch) -> None:
    def bind(family: socket.AddressFamily, host: str, port: int) -> None:
        if family == socket.AF_INET6:
            raise OSError(97, "Address family not supported by protocol")

    monkeypatch.setattr("deploy.local.ports._bind", bind)
    assert is_free(8000)


def test_a_port_that_is_kept_for_root_is_not_called_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    def bind(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("deploy.local.ports._bind", bind)
    with pytest.raises(PermissionError):
        check(80)


@pytest.fixture
def all_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deploy.local.ports.is_free", lambda port: True)


@pytest.mark.usefixtures("all_free")
@pytest.mark.parametrize(
    "chosen",
    [
        {},
        {"port": 8500},
        {"port": 8501},
        {"port": 6379},
        {"redis_port": 8510},
        {"redis_port": 8501},
        {"fast_model_port": 8510},
        {"fast_model_port": 8509},
        {"fast_model_port": 65534, "redis_port": 65535 - 2},
    ],
)
def test_no_port_is_chosen_twice(chosen: dict[str, int]) -> None:
    at = Addresses.choose(LocalSettings(**chosen))  # type: ignore[arg-type]
    ports = [at.proxy, at.fast_model, at.fast_model + 1, at.accurate_model, at.accurate_model + 1, at.redis]
    assert len(set(ports)) == len(ports)
    assert max(ports) <= 65535


@pytest.mark.usefixtures("all_free")
def test_the_last_ports_can_be_had_and_what_is_beyond_them_is_said() -> None:
    assert list(free_ports(65534, 2)) == [65534, 65535]
    assert list(free_ports(65535)) == [65535]
    with pytest.raises(NoFreePort, match="no free port from 65535 on"):
        free_ports(65535, besides=[65535])
