"""The ports that `make run` chooses."""

import socket
from contextlib import closing

import pytest

from deploy.local.ports import NoFreePort, check, free_ports, is_free
from deploy.local.services import Ports
from deploy.local.settings import LocalSettings


def listen(family: socket.AddressFamily, host: str) -> socket.socket:
    return socket.create_server((host, 0), family=family)


def has_ipv6_loopback() -> bool:
    """A container can have IPv6 sockets but no `::1`, so only binding to `::1` shows whether it exists."""
    try:
        listen(socket.AF_INET6, "::1").close()
    except OSError:
        return False
    return True


def test_a_port_is_in_use_while_a_process_listens_on_it() -> None:
    with closing(listen(socket.AF_INET, "127.0.0.1")) as listener:
        port = listener.getsockname()[1]
        assert not is_free(port)
    assert is_free(port)


@pytest.mark.skipif(not has_ipv6_loopback(), reason="this machine has no IPv6 loopback address")
def test_a_port_is_in_use_while_a_process_listens_on_it_over_ipv6() -> None:
    with closing(listen(socket.AF_INET6, "::1")) as listener:
        assert not is_free(listener.getsockname()[1])


def test_a_port_can_be_free_on_a_machine_without_ipv6(monkeypatch: pytest.MonkeyPatch) -> None:
    def bind(family: socket.AddressFamily, host: str, port: int) -> None:
        if family == socket.AF_INET6:
            raise OSError(97, "Address family not supported by protocol")

    monkeypatch.setattr("deploy.local.ports._bind", bind)
    assert is_free(8000)


def test_a_port_that_is_reserved_for_root_is_reported_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
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
    "settings",
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
def test_no_port_is_chosen_twice(settings: dict[str, int]) -> None:
    ports = Ports.choose(LocalSettings(**settings))  # type: ignore[arg-type] # the dict has settings of type int only
    grpc = (ports.fast_model, ports.accurate_model)
    chosen = [ports.proxy, ports.redis, *grpc, *(port + 1 for port in grpc)]
    assert len(set(chosen)) == len(chosen)
    assert max(chosen) <= 65535


@pytest.mark.usefixtures("all_free")
def test_the_highest_port_can_be_chosen_and_no_higher_one() -> None:
    assert list(free_ports(65534, 2)) == [65534, 65535]
    assert list(free_ports(65535)) == [65535]
    with pytest.raises(NoFreePort, match="no free port at or above 65535"):
        free_ports(65535, exclude=[65535])
