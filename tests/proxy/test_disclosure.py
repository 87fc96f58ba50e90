"""Responses reveal nothing about the inside of the service, and repeat nothing of the client's."""

import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.images import encode_image
from tests.proxy.bare_proxy import BareProxy, bare_proxy, post, status


@pytest_asyncio.fixture(scope="module")
async def proxy(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[BareProxy]:
    async with bare_proxy(tmp_path_factory.mktemp("disclosure")) as proxy:
        yield proxy


def detail(response: bytes) -> str:
    return str(json.loads(response.partition(b"\r\n\r\n")[2])["detail"])


async def test_an_unreachable_model_is_reported_without_its_address(proxy: BareProxy) -> None:
    response = await proxy.exchange(post(encode_image(), b"connection: close"))
    assert status(response) == 503
    assert detail(response) == "the fast model can't be reached: try again in a moment"
    assert proxy.process.logged("model-unavailable", "127.0.0.1:1")


async def test_a_broken_image_is_reported_without_a_python_object(proxy: BareProxy) -> None:
    image = encode_image(size=(1600, 1200), file_format="PNG")
    broken = image[:16] + image[16:24] + b"\x08\x07" + image[26:]  # a colour type that does not exist
    response = await proxy.exchange(post(broken, b"connection: close"))
    assert status(response) == 422
    assert " at 0x" not in detail(response)


@pytest.mark.parametrize("path", [b"/health/", b"//evil.example/health/"])
async def test_the_host_header_of_a_client_is_in_no_response(path: bytes, proxy: BareProxy) -> None:
    request = b"GET " + path + b" HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n"
    response = await proxy.exchange(request)
    assert status(response) == 404
    assert b"location" not in response.lower()


@pytest.mark.parametrize("path", [b"/health", b"/health/all", b"/metadata", b"/openapi.json", b"/docs"])
async def test_head_has_the_headers_of_get_and_no_body(path: bytes, proxy: BareProxy) -> None:
    rest = b" HTTP/1.1\r\nhost: x\r\nx-request-id: same\r\n"
    get = await proxy.exchange(b"GET " + path + rest + b"connection: close\r\n\r\n")
    head = await proxy.exchange(b"HEAD " + path + rest + b"connection: close\r\n\r\n")
    undated = [[line for line in text.split(b"\r\n") if not line.startswith(b"date:")] for text in (get, head)]
    assert undated[0][:-1] == undated[1][:-1]
    assert head.endswith(b"\r\n\r\n")
    both = await proxy.exchange(b"HEAD " + path + rest + b"\r\n", b"GET " + path + rest + b"connection: close\r\n\r\n")
    assert both.count(b"HTTP/1.1 200") == 2
