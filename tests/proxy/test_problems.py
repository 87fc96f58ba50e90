"""The response to a refused request, and its log line."""

from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
import structlog
from fastapi import FastAPI
from starlette.responses import StreamingResponse

import service_log
from proxy import errors, problems
from proxy.request_id import RequestId


def app_that_fails() -> FastAPI:
    app = FastAPI()
    problems.register(app)
    app.add_middleware(RequestId)

    @app.get("/unexpected")
    async def unexpected() -> None:
        raise RuntimeError("a bug")

    @app.get("/refused")
    async def refused() -> None:
        raise errors.NotBase64("not base64 at all")

    @app.get("/interrupted")
    async def interrupted() -> StreamingResponse:
        async def half() -> AsyncIterator[bytes]:
            yield b"half"
            raise RuntimeError("in the middle")

        return StreamingResponse(half())

    return app


@pytest.fixture
def lines() -> Iterator[list[structlog.typing.EventDict]]:
    lines: list[structlog.typing.EventDict] = []

    def keep(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        lines.append(dict(event))
        raise structlog.DropEvent

    structlog.configure(processors=[structlog.contextvars.merge_contextvars, structlog.processors.add_log_level, keep])
    service_log.get_logger.cache_clear()
    yield lines
    structlog.reset_defaults()
    service_log.get_logger.cache_clear()


async def get(path: str) -> httpx.Response:
    transport = httpx.ASGITransport(app_that_fails())
    async with httpx.AsyncClient(transport=transport, base_url="http://proxy") as client:
        return await client.get(path, headers={"X-Request-ID": "mine"})


@pytest.mark.parametrize(
    ("path", "status", "event", "level", "problem"),
    [
        ("/unexpected", 500, "request failed", "error", "unforeseen"),
        ("/refused", 400, "request refused", "info", "not-base64"),
        ("/nowhere", 404, "request refused", "info", "not-found"),
    ],
)
async def test_the_header_the_body_and_one_log_line_have_the_same_request_id(
    path: str, status: int, event: str, level: str, problem: str, lines: list[structlog.typing.EventDict]
) -> None:
    response = await get(path)
    assert response.status_code == status
    assert response.headers["x-request-id"] == response.json()["trace_id"] == "mine"
    [line] = lines
    assert (line["event"], line["level"], line["path"]) == (event, level, path)
    assert (line["status"], line["problem"], line["request"]) == (status, problem, "mine")


async def test_a_response_that_fails_halfway_is_interrupted(
    lines: list[structlog.typing.EventDict],
) -> None:
    with pytest.raises(RuntimeError, match="in the middle"):
        await get("/interrupted")
    assert [line["request"] for line in lines] == ["mine"]
