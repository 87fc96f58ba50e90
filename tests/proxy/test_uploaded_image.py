"""The three ways to send an image, and the variants of base64 that are accepted."""

import base64
from datetime import timedelta
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.types import Message

from proxy.body import BodyRate
from proxy.byte_budget import ByteBudget, Upload
from proxy.errors import NotBase64, Overloaded, TooLarge
from proxy.http_limits import UPLOAD_KEY
from proxy.uploaded_image import Limits, decode_base64, read_image
from tests.images import encode_image

RATE = BodyRate(timedelta(seconds=60), min_bytes_per_s=1, grace=timedelta(seconds=60))
LIMITS = Limits(max_bytes=500_000, max_pixels=50_000_000, body_rate=RATE)


@given(st.binary(), st.sampled_from(["", "data:image/jpeg;base64,", "DATA:image/png;name=a;base64,", "data:;base64,"]))
def test_encoded_bytes_are_decoded_to_the_same_bytes(data: bytes, prefix: str) -> None:
    assert decode_base64(prefix + base64.b64encode(data).decode()) == data


@given(st.binary(min_size=1), st.integers(1, 80))
def test_white_space_in_base64_is_ignored(data: bytes, width: int) -> None:
    text = base64.b64encode(data).decode()
    lines = [text[start : start + width] for start in range(0, len(text), width)]
    assert decode_base64(" \r\n\t".join(lines) + "\n") == data


def request_of(upload: Upload, *chunks: bytes) -> Request:
    """A request whose chunks are counted in `upload`, as the HTTP server does it, when they are read."""
    messages = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    messages.append({"type": "http.request", "body": b"", "more_body": False})

    async def receive() -> Message:
        upload.reserve(len(messages[0]["body"]))  # type: ignore[arg-type]
        return messages.pop(0)

    headers = [(b"content-type", b"image/jpeg")]
    return Request({"type": "http", "headers": headers, "state": {UPLOAD_KEY: upload}}, receive)


async def test_a_body_that_the_byte_budget_refuses_is_not_read() -> None:
    budget = ByteBudget(1000)
    Upload(budget).reserve(900)
    with pytest.raises(Overloaded, match="1000 bytes"):
        await read_image(request_of(Upload(budget), b"x" * 101), LIMITS)


async def test_an_oversized_body_releases_its_bytes_while_the_rest_is_discarded() -> None:
    budget = ByteBudget(8 * LIMITS.max_bytes)
    with pytest.raises(TooLarge):
        await read_image(request_of(Upload(budget), *[b"x" * (LIMITS.max_bytes // 2)] * 4), LIMITS)
    assert budget.used == 0


@given(st.text())
def test_arbitrary_text_is_decoded_or_refused_as_not_base64(text: str) -> None:
    try:
        data = decode_base64(text)
    except NotBase64:
        return
    assert base64.b64encode(data).decode() == "".join(text.partition(",")[2].split() if "," in text else text.split())


def bodies(image: bytes) -> list[dict[str, Any]]:
    text = base64.b64encode(image).decode()
    lines = base64.encodebytes(image).decode()
    return [
        {"json": {"image_data": text}},
        {"content": f'{{"image_data": "{text}"}}'},
        {"content": f'{{"image_data": "{text}"}}', "headers": {"content-type": "application/x-www-form-urlencoded"}},
        {"content": f'{{"image_data": "{text}"}}', "headers": {"content-type": "text/plain; charset=utf-8"}},
        {"content": f'{{"image_data": "{lines}"\n}}', "headers": {"content-type": "application/json"}},
        {"json": {"image_data": lines}},
        {"json": {"image_data": "data:image/jpeg;base64," + text, "other": [1, 2]}},
        {"content": image, "headers": {"content-type": "image/jpeg"}},
        {"content": image, "headers": {"content-type": "IMAGE/PNG"}},
        {"content": image, "headers": {"content-type": "application/octet-stream"}},
        {"files": {"image": ("cat.jpg", image, "image/jpeg")}},
        {"files": {"image": ("cat", image)}, "data": {"other": "text"}},
    ]


@pytest.mark.parametrize("index", range(12))
async def test_an_image_is_read_from_each_kind_of_body(index: int, client: httpx.AsyncClient, cat: bytes) -> None:
    expected = (await client.get("/predict/test")).json()["mobilenet_v2"]
    response = await client.post("/predict", **bodies(cat)[index])
    assert response.status_code == 200, response.text
    assert response.json()["mobilenet_v2"] == expected


@pytest.mark.parametrize(
    "image",
    [
        pytest.param(encode_image("L"), id="grey JPEG"),
        pytest.param(encode_image("CMYK"), id="CMYK JPEG"),
        pytest.param(encode_image(progressive=True), id="progressive JPEG"),
        pytest.param(encode_image("L", file_format="PNG"), id="grey PNG"),
        pytest.param(encode_image("1", file_format="PNG"), id="one-bit PNG"),
        pytest.param(encode_image("P", file_format="PNG"), id="palette PNG"),
        pytest.param(encode_image("RGBA", file_format="PNG"), id="PNG with alpha"),
        pytest.param(encode_image("LA", file_format="PNG"), id="grey PNG with alpha"),
        pytest.param(encode_image("I;16", file_format="PNG"), id="16-bit PNG"),
        pytest.param(encode_image(size=(1, 1)), id="one pixel"),
        pytest.param(encode_image(size=(3000, 1)), id="one line"),
    ],
)
async def test_every_mode_of_jpeg_and_png_gets_a_prediction(image: bytes, client: httpx.AsyncClient) -> None:
    response = await client.post("/predict", content=image, headers={"content-type": "image/*"})
    assert response.status_code == 200, response.text
    assert response.json()["job_id"]
