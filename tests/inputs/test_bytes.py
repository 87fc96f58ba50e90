"""`INPUT=bytes`: bytes of any kind pass unchanged, and refusals do not speak of images."""

import base64
from pathlib import Path
from typing import Any, Final

import pytest

from harness.process import PYTHON, Process
from harness.waiting import wait_until
from tests.inputs.service import Service

RAW: Final = {"content-type": "application/octet-stream"}
GOOD: Final = b"\x00\xff good \x80"


@pytest.mark.parametrize(
    "request_",
    [{"content": GOOD, "headers": RAW}, {"json": {"data": base64.b64encode(GOOD).decode()}}],
    ids=["raw", "JSON"],
)
async def test_bytes_get_a_fast_label_and_a_better_one_later(data: Service, request_: dict[str, Any]) -> None:
    answer = (await data.client.post("/predict", **request_)).json()
    assert answer["small"] == "2"
    assert await data.result(answer["job_id"]) == "positive"
    for model in (data.fast, data.accurate):
        assert [GOOD] in model.predicts


async def test_the_test_input_is_the_file_of_the_setting(data: Service) -> None:
    assert (await data.client.get("/predict/test")).json()["small"] == "2"
    assert data.fast.predicts[-1] == [b"\x00good\xff"]


@pytest.mark.parametrize(
    ("request_", "status", "slug", "detail"),
    [
        ({"content": b"\x00"}, 400, "not-json", '{"data": "<base64>"}'),
        ({"json": {"data": "%"}}, 400, "not-base64", "data is not base64"),
        ({"json": {"text": "x"}}, 422, "no-data", "data is missing"),
        ({"content": b"", "headers": RAW}, 422, "no-data", "empty"),
        ({"content": b"x" * 1001, "headers": RAW}, 413, "too-large", "1001 bytes, and the limit is 1000"),
        ({"content": b"unreadable", "headers": RAW}, 422, "undecodable", "the model can't read the data"),
    ],
)
async def test_a_refusal_speaks_of_data(
    data: Service, request_: dict[str, Any], status: int, slug: str, detail: str
) -> None:
    response = await data.client.post("/predict", **request_)
    problem = response.json()
    assert (response.status_code, problem["type"]) == (status, f"urn:sync-async:problem:{slug}")
    assert detail in problem["detail"]
    assert "image" not in problem["detail"] + problem["title"]


@pytest.mark.slow
@pytest.mark.parametrize("process", ["proxy", "backend"])
@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"INPUT": "bytes"}, "INPUT=bytes needs TEST_INPUT, a file with an input that both models accept"),
        ({"INPUT": "audio"}, "Input should be 'image', 'text' or 'bytes'"),
    ],
)
async def test_an_input_that_is_not_supported_is_an_error_at_start(
    process: str, settings: dict[str, str], error: str, tmp_path: Path
) -> None:
    with Process([PYTHON, "-m", process], settings, tmp_path / "log") as started:
        await wait_until(lambda: not started.is_running)
        assert started.popen
        assert started.popen.returncode == 1
        assert error in started.log_tail()
