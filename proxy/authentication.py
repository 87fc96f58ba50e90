"""Identifies the client of a request, before its body is read: by its API key, or without keys by its address."""

import ipaddress
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Final

from fastapi import Depends, Request
from limits import RateLimitItem
from structlog.contextvars import bind_contextvars

from job_store import Job, Owner
from proxy.api_keys import ApiKeys, Role
from proxy.errors import Forbidden, NotAuthenticated
from proxy.rate_limits import RateLimits

MAX_HOST_LENGTH: Final = 64
"""Of an address; the longest of IPv6 has 45 characters, and may have a zone. `X-Forwarded-For` can be much longer."""
IPV6_PREFIX: Final = 64
"""A client usually has as many IPv6 addresses as it wants, with the same first 64 bits (RFC 6177)."""


@dataclass(frozen=True, slots=True)
class Client:
    owner: Owner | None
    """Its jobs' owner; None if nothing has to be counted."""
    role: Role
    reads_all_jobs: bool

    def may_read(self, job: Job) -> bool:
        return self.reads_all_jobs or (self.owner is not None and job.owner == self.owner.id)


ANONYMOUS: Final = Client(owner=None, role=Role.CLIENT, reads_all_jobs=True)


class Authentication:
    def __init__(
        self, keys: ApiKeys | None, rate_limits: RateLimits, max_queued: int = 0, rate: RateLimitItem | None = None
    ) -> None:
        """`max_queued` (0: no limit) and `rate` (None: no limit) are for each client, unless its key has its own."""
        self._keys = keys
        self._rate_limits = rate_limits
        self._max_queued = max_queued
        self._rate = rate
        self._accepts_all = keys is None and not max_queued and rate is None

    def identify(self, request: Request) -> Client:
        """Return the client, count the request, and name the client in further log lines of this task.

        Raises `NotAuthenticated` and `RateExceeded`.
        """
        if self._accepts_all:
            return ANONYMOUS
        if self._keys is not None:
            return self._identify_by_key(self._keys, request)
        client_id = f"address:{client_address(request.client.host if request.client else '')}"
        bind_contextvars(client=client_id)
        if self._rate is not None:
            self._rate_limits.check(client_id, self._rate)
        owner = Owner(client_id, self._max_queued) if self._max_queued else None
        return Client(owner, Role.CLIENT, reads_all_jobs=True)

    def _identify_by_key(self, keys: ApiKeys, request: Request) -> Client:
        scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
        credentials = credentials.strip()
        if scheme.lower() != "bearer" or not credentials:
            raise NotAuthenticated("an API key is required: send it in the header Authorization: Bearer <key>")
        key = keys.find(credentials)
        if key is None:
            raise NotAuthenticated("the API key is unknown: check it, or ask the operator of this service for one")
        client_id = f"key:{key.name}"
        bind_contextvars(client=client_id)
        rate = key.rate or self._rate
        if rate is not None:
            self._rate_limits.check(client_id, rate)
        return Client(Owner(client_id, key.max_queued or self._max_queued), key.role, key.role is Role.OPERATOR)


def client_address(host: str) -> str:
    """Return the IPv4 address, or the IPv6 network, that counts as one client."""
    return "unknown" if len(host) > MAX_HOST_LENGTH else _network(host)


@lru_cache(maxsize=4096)
def _network(host: str) -> str:
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:  # a Unix socket, or a proxy that sends something else than an address
        return "unknown"
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((int(address), IPV6_PREFIX), strict=False))


async def current_client(request: Request) -> Client:
    authentication: Authentication = request.app.state.resources.authentication
    return authentication.identify(request)


CurrentClient = Annotated[Client, Depends(current_client)]
"""The client of a request that needs a key, if the service has keys."""


async def current_operator(client: CurrentClient) -> Client:
    if client.role is not Role.OPERATOR:
        raise Forbidden("this needs the API key of an operator")
    return client


CurrentOperator = Annotated[Client, Depends(current_operator)]
"""The client of a request that needs an operator's key: without `API_KEYS_FILE`, all of these are refused.

No endpoint uses it yet; those for dead letters in the API's first version will.
"""
