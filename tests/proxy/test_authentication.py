"""Which client a request belongs to, and what it may do."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from starlette.requests import Request

from harness.waiting import wait_until
from job_store import Owner
from proxy import authentication as authentication_module
from proxy import problems
from proxy.api_keys import ApiKeys, Role
from proxy.authentication import ANONYMOUS, Authentication, CurrentOperator, client_address
from proxy.errors import NotAuthenticated, RateExceeded
from proxy.rate_limits import RateLimits
from proxy.request_id import RequestId
from tests.proxy.bare_proxy import BareProxy, bare_proxy, post, status
from tests.proxy.keys_file import ALICE, BOB, OPERATOR, bearer, write_keys


def request(address: str = "192.0.2.1", authorization: str | None = None) -> Request:
    headers = [] if authorization is None else [(b"authorization", authorization.encode())]
    return Request({"type": "http", "headers": headers, "client": (address, 1)})


def authentication(path: Path | None = None, **limits: Any) -> Authentication:
    return Authentication(ApiKeys(path) if path else None, RateLimits(1), **limits)


@pytest.mark.parametrize("authorization", [None, "", "Bearer", "Bearer ", "Bearer unknown", f"Basic {ALICE}", ALICE])
def test_a_request_without_a_valid_key_is_refused(authorization: str | None, tmp_path: Path) -> None:
    with pytest.raises(NotAuthenticated):
        authentication(write_keys(tmp_path / "keys.json")).identify(request(authorization=authorization))


def test_a_client_is_identified_by_its_key(tmp_path: Path) -> None:
    keys = authentication(write_keys(tmp_path / "keys.json", max_queued=5), max_queued=7)
    alice = keys.identify(request(authorization=f"Bearer {ALICE}"))
    assert (alice.owner, alice.role, alice.reads_all_jobs) == (Owner("key:alice", 5), Role.CLIENT, False)
    bob = keys.identify(request(authorization=f"bearer  {BOB}"))
    assert bob.owner == Owner("key:bob", 7)
    operator = keys.identify(request(authorization=f"BEARER {OPERATOR}"))
    assert (operator.role, operator.reads_all_jobs) == (Role.OPERATOR, True)


def test_without_keys_and_limits_all_clients_are_one() -> None:
    assert authentication().identify(request()) is ANONYMOUS


def test_without_keys_a_client_is_identified_by_its_address() -> None:
    client = authentication(max_queued=5).identify(request("192.0.2.1"))
    assert (client.owner, client.reads_all_jobs) == (Owner("address:192.0.2.1", 5), True)


@pytest.mark.parametrize(
    ("host", "client"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::9", "2001:db8:1:3::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", "unknown"),
        ("evil\r\n:*", "unknown"),
        ("fe80::1%" + 57 * "x", "unknown"),
    ],
)
def test_the_addresses_of_an_ipv6_network_are_one_client(host: str, client: str) -> None:
    assert client_address(host) == client


def test_a_long_text_instead_of_an_address_takes_no_memory() -> None:
    before = authentication_module._network.cache_info().currsize
    assert {client_address(f"{number:065}") for number in range(100)} == {"unknown"}
    assert authentication_module._network.cache_info().currsize == before


@pytest.mark.parametrize("authorization", ["Bearer", "Bearer ", "Bearer \t"])
def test_an_empty_key_is_no_key(authorization: str, tmp_path: Path) -> None:
    with pytest.raises(NotAuthenticated, match="an API key is required"):
        authentication(write_keys(tmp_path / "keys.json")).identify(request(authorization=authorization))


def test_each_key_has_its_own_rate(tmp_path: Path) -> None:
    keys = authentication(write_keys(tmp_path / "keys.json", rate="2/hour"))
    for _ in range(2):
        keys.identify(request(authorization=f"Bearer {ALICE}"))
    with pytest.raises(RateExceeded):
        keys.identify(request(authorization=f"Bearer {ALICE}"))
    for _ in range(20):
        keys.identify(request(authorization=f"Bearer {BOB}"))


@pytest.mark.parametrize(("key", "expected"), [(None, 401), ("?", 401), (ALICE, 403), (OPERATOR, 200)])
async def test_an_operators_action_needs_an_operators_key(key: str | None, expected: int, tmp_path: Path) -> None:
    assert await status_of_an_operators_action(write_keys(tmp_path / "keys.json"), key) == expected


async def test_without_keys_no_client_is_an_operator() -> None:
    assert await status_of_an_operators_action(None, None) == 403


async def status_of_an_operators_action(keys: Path | None, key: str | None) -> int:
    app = FastAPI()
    app.state.resources = SimpleNamespace(authentication=authentication(keys))
    problems.register(app)
    app.add_middleware(RequestId)

    @app.get("/action")
    async def action(client: CurrentOperator) -> str:
        return client.role

    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://proxy") as client:
        response = await client.get("/action", headers=bearer(key) if key else {})
    if response.status_code == 403:
        assert response.json()["type"] == "urn:sync-async:problem:forbidden"
    return response.status_code


def get(path: str, *headers: str) -> bytes:
    return "\r\n".join([f"GET {path} HTTP/1.1", "host: x", "connection: close", *headers, "", ""]).encode()


@pytest.mark.parametrize("path", ["/predict/test", "/job/0123456789abcdef01234567"])
async def test_a_client_without_a_key_gets_a_401(path: str, tmp_path: Path) -> None:
    keys = write_keys(tmp_path / "keys.json")
    async with bare_proxy(tmp_path, API_KEYS_FILE=str(keys), FAST_MODEL_ADDRESS="127.0.0.1:1") as proxy:
        for request in (get(path), get(path, "authorization: Bearer unknown")):
            response = await proxy.exchange(request)
            assert status(response) == 401
            assert b"\r\nwww-authenticate: bearer\r\n" in response.lower()
            assert b"urn:sync-async:problem:unauthenticated" in response
        assert status(await proxy.exchange(get(path, f"authorization: Bearer {ALICE}"))) == 503, "no model, no Redis"
        for public in ("/health", "/health/all", "/metadata", "/docs", "/openapi.json"):
            assert status(await proxy.exchange(get(public))) == 200
        assert b'"security":[{"apiKey":[]}]' in await proxy.exchange(get("/openapi.json"))


@pytest.mark.slow
async def test_the_log_does_not_name_the_client_of_an_earlier_request(tmp_path: Path) -> None:
    keys = write_keys(tmp_path / "keys.json")
    async with bare_proxy(tmp_path, API_KEYS_FILE=str(keys)) as proxy:
        pipelined = get("/job/1", f"authorization: Bearer {ALICE}").replace(b"connection: close\r\n", b"")
        await proxy.exchange(pipelined + get("/nowhere"))
        await wait_until(lambda: proxy.process.logged("request refused", "path=/nowhere") == 1)
        assert proxy.process.logged("client=key:alice", "path=/job/1") == 1
        assert proxy.process.logged("client=key:alice") == 1


@pytest.mark.slow
async def test_an_upload_without_a_key_is_refused_before_its_body_and_costs_no_budget(tmp_path: Path) -> None:
    keys = write_keys(tmp_path / "keys.json")
    async with bare_proxy(tmp_path, API_KEYS_FILE=str(keys), MAX_BYTES_IN_FLIGHT="4000000") as proxy:
        stalled = [await proxy.connect() for _ in range(20)]
        for reader, writer in stalled:
            writer.write(post(bytes(1000), size=1_000_000))
            assert status(await reader.readuntil(b"\r\n")) == 401
        assert await answers(proxy, post(b"no image", f"authorization: Bearer {ALICE}".encode())) == 415
        for reader, writer in stalled:
            assert b"connection: close" in (await reader.read()).lower()
            writer.close()


async def answers(proxy: BareProxy, request: bytes) -> int:
    reader, writer = await proxy.connect()
    writer.write(request)
    code = status(await reader.readuntil(b"\r\n"))
    writer.close()
    return code


@pytest.mark.slow
async def test_beyond_its_rate_a_client_gets_a_429_before_its_body(tmp_path: Path) -> None:
    keys = write_keys(tmp_path / "keys.json", rate="2/hour")
    async with bare_proxy(tmp_path, API_KEYS_FILE=str(keys)) as proxy:
        authorization = f"authorization: Bearer {ALICE}".encode()
        assert [await answers(proxy, post(b"no image", authorization)) for _ in range(2)] == [415, 415]
        reader, writer = await proxy.connect()
        writer.write(post(b"", authorization, size=1_000_000))
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        writer.close()
        assert head.startswith("http/1.1 429")
        fields = dict(line.split(": ", 1) for line in head.splitlines()[1:] if line)
        assert 0 < int(fields["retry-after"]) <= 3600
        assert fields["ratelimit-policy"] == '"default";q=2;w=3600'
        await wait_until(lambda: proxy.process.logged("problem=rate-exceeded", "client=key:alice") == 1)
        assert fields["ratelimit"] == f'"default";r=0;t={fields["retry-after"]}'
        assert await answers(proxy, post(b"no image", f"authorization: Bearer {BOB}".encode())) == 415


@pytest.mark.slow
@pytest.mark.parametrize(
    ("trusted", "expected"),
    [("", [503, 429, 429]), ("127.0.0.0/8", [503, 503, 429]), ("10.0.0.0/8,::1", [503, 429, 429])],
)
async def test_the_forwarded_address_counts_only_from_a_trusted_proxy(
    trusted: str, expected: list[int], tmp_path: Path
) -> None:
    settings = {"FORWARDED_ALLOW_IPS": trusted} if trusted else {}
    async with bare_proxy(tmp_path, RATE_PER_CLIENT="1/hour", **settings) as proxy:
        forwarded = ["192.0.2.1", "192.0.2.2", "6.6.6.6, 192.0.2.1"]
        requests = [get("/job/1", f"x-forwarded-for: {addresses}") for addresses in forwarded]
        assert [status(await proxy.exchange(request)) for request in requests] == expected
