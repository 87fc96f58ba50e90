"""Where clients that look around are led: `/`, `/docs` and `GET /predict`."""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from proxy.guide import HOW_TO_POST
from service_settings import project_version
from tests.proxy.bare_proxy import bare_proxy


@pytest_asyncio.fixture(scope="module", params=["", "/classify"], ids=["no prefix", "prefix"])
async def client(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[httpx.AsyncClient]:
    async with (
        bare_proxy(tmp_path_factory.mktemp("guide"), ROOT_PATH=request.param) as proxy,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{proxy.port}{request.param}", trust_env=False) as client,
    ):
        yield client


async def test_the_documentation_loads_nothing_from_another_server(client: httpx.AsyncClient) -> None:
    page = await client.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    addresses = re.findall(r"""(?:href|src)="([^"]+)"|url: '([^']+)'""", page.text)
    assert len(addresses) == 4
    for address in map("".join, addresses):
        assert address.startswith("/")
        response = await client.get(str(client.base_url.copy_with(path=address)))
        assert response.status_code == 200, address
        assert len(response.content) > 1000
    assert "://" not in re.sub(r"<title>.*</title>", "", page.text)


async def test_the_start_page_leads_to_the_documentation_and_the_endpoints(client: httpx.AsyncClient) -> None:
    response = await client.get("/")
    root = client.base_url.path.rstrip("/")
    assert response.json() == {
        "title": "Answer now, refine later",
        "version": project_version(),
        "docs": f"{root}/docs",
        "openapi": f"{root}/openapi.json",
        "predict": f"{root}/predict",
        "job": f"{root}/job/{{job_id}}",
    }
    assert response.headers["link"] == f'<{root}/docs>; rel="service-doc", <{root}/openapi.json>; rel="service-desc"'


async def test_get_predict_says_how_to_post(client: httpx.AsyncClient) -> None:
    response = await client.get("/predict")
    assert response.status_code == 405
    assert response.headers["allow"] == "POST"
    assert 'rel="service-doc"' in response.headers["link"]
    assert response.json()["detail"].startswith("send an image with POST: curl -F image=@cat.jpg")


@pytest.mark.slow
@pytest.mark.parametrize("input_", HOW_TO_POST)
async def test_get_predict_speaks_of_the_input_that_is_configured(input_: str, tmp_path: Path) -> None:
    settings = {} if input_ == "image" else {"TEST_INPUT": str(tmp_path / "sample")}
    (tmp_path / "sample").write_text("sample")
    async with bare_proxy(tmp_path, INPUT=input_, **settings) as proxy:
        response = await proxy.exchange(b"GET /predict HTTP/1.0\r\n\r\n")
    assert json.loads(response.partition(b"\r\n\r\n")[2])["detail"].startswith(HOW_TO_POST[input_])


@pytest.mark.parametrize(
    ("method", "path", "status", "detail"),
    [("PUT", "/predict", 405, "the header Allow has those"), ("GET", "/nowhere", 404, "/docs lists those that do")],
)
async def test_other_wrong_requests_get_a_hint(
    method: str, path: str, status: int, detail: str, client: httpx.AsyncClient
) -> None:
    response = await client.request(method, path)
    assert response.status_code == status
    assert detail in response.json()["detail"]
