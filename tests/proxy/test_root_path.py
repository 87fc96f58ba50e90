"""Behind a reverse proxy that publishes the service under a path prefix, its own links lead back to it."""

import re
from pathlib import Path
from typing import Final
from urllib.parse import urljoin

import httpx
import pytest

from harness.stack import Stack
from harness.waiting import wait_until
from proxy.settings import Settings
from tests.images import JPEG_HEADERS, encode_image
from tests.proxy.own_proxy import own_proxy
from tests.proxy.prefix_proxy import prefix_proxy

PREFIX: Final = "/classify/v2"


@pytest.mark.parametrize("strips", [True, False], ids=["stripped prefix", "kept prefix"])
async def test_every_link_of_the_service_leads_through_the_prefix(strips: bool, stack: Stack, tmp_path: Path) -> None:
    async with (
        own_proxy(stack, tmp_path, ROOT_PATH=PREFIX) as (direct, _),
        prefix_proxy(PREFIX, direct.base_url.port or 0, strips=strips) as url,
        httpx.AsyncClient(trust_env=False, timeout=30) as client,
    ):
        prediction = await client.post(f"{url}/predict", content=encode_image(), headers=JPEG_HEADERS)
        [link] = re.findall(r'^<(.*)>; rel="monitor"$', prediction.headers["link"])
        assert (await client.get(urljoin(url, link))).json().keys() == {prediction.json()["job_id"]}

        docs = await client.get(f"{url}/docs")
        [document_path] = re.findall(r"url: '(.*)'", docs.text)
        document = (await client.get(urljoin(url, document_path))).json()
        assert urljoin(url, document["servers"][0]["url"]) == url

        problem = (await client.get(f"{url}/nowhere")).json()
        assert problem["instance"] == f"{PREFIX}/nowhere"


async def test_health_checks_reach_the_process_without_the_prefix(stack: Stack, tmp_path: Path) -> None:
    async with own_proxy(stack, tmp_path, ROOT_PATH=PREFIX) as (direct, _):

        async def is_ready() -> bool:
            return (await direct.get("/readyz")).is_success

        await wait_until(is_ready)
        assert (await direct.get("/health/all")).text == '{"mobilenet_v2":"ok","inception_v3":"ok"}'


@pytest.mark.parametrize("value", ["images", "/images/", "/", "/two words", "/<script>"])
def test_a_prefix_that_no_link_can_be_made_of_is_refused(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROOT_PATH", value)
    with pytest.raises(SystemExit, match="proxy: ROOT_PATH="):
        Settings.from_environment("proxy")
