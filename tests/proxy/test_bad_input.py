"""Bad input gets a response that names the problem, never a 500, and the service keeps running."""

import base64
import json
from dataclasses import dataclass, field
from typing import Final

import httpx
import pytest

from tests.images import (
    JPEG_HEADERS,
    animated_webp,
    encode_image,
    flat_png,
    form_of,
    gif_bomb,
    gif_of_blocks,
    jpeg_of_scans,
    png_bomb,
    png_of_chunks,
    png_with,
    webp_bomb,
)

JSON: Final = {"content-type": "application/json"}
RAW: Final = JPEG_HEADERS


def as_json(image: bytes) -> bytes:
    return json.dumps({"image_data": base64.b64encode(image).decode()}).encode()


@dataclass(frozen=True, slots=True)
class Row:
    name: str
    status: int
    problem: str
    body: bytes
    headers: dict[str, str] = field(default_factory=lambda: JSON)


GIF: Final = encode_image(file_format="GIF")
BMP: Final = encode_image(file_format="BMP")
JPEG: Final = encode_image()
PNG: Final = encode_image(file_format="PNG")
SVG: Final = b'<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"><rect width="8" height="8"/></svg>'

TRANSPARENCY: Final = png_with(b"tEXt", b"transparency\0nonsense")
EXIF: Final = b"\xff\xe1\x00\x10Exif\0\0MM\0*\0\0\0\x08"

TABLE: Final = [
    Row("an empty body", 400, "not-json", b""),
    Row("an empty body declared as an image", 422, "no-image", b"", RAW),
    Row("not JSON", 400, "not-json", b"image_data=hello"),
    Row(
        "not JSON, as a browser's form", 400, "not-json", b"a=b", {"content-type": "application/x-www-form-urlencoded"}
    ),
    Row("cut-off JSON", 400, "not-json", b'{"image_data": "aGVsbG8'),
    Row("JSON in UTF-16", 400, "not-json", '{"image_data": "aGVs"}'.encode("utf-16")),
    Row("bytes that are not text", 400, "not-json", bytes(range(256))),
    Row("a JPEG without its content type", 400, "not-json", JPEG),
    Row("deep nesting", 400, "not-json", b"[" * 100_000),
    Row("deep nesting inside image_data", 400, "not-json", b'{"image_data":' * 50_000),
    Row("a million empty lists", 400, "not-json", b"[" + b"[]," * 1_000_000 + b"[]]"),
    Row("a million fields", 400, "not-json", b'{"image_data": "", "a": [' + b"{}," * 1_000_000 + b"{}]}"),
    Row("a JSON list", 422, "no-image", b"[]"),
    Row("a JSON string", 422, "no-image", b'"aGVsbG8="'),
    Row("JSON null", 422, "no-image", b"null"),
    Row("an empty object", 422, "no-image", b"{}"),
    Row("another field", 422, "no-image", b'{"image": "aGVsbG8="}'),
    Row("image_data null", 422, "no-image", b'{"image_data": null}'),
    Row("image_data a number", 422, "no-image", b'{"image_data": 5}'),
    Row("image_data a list", 422, "no-image", b'{"image_data": ["aGVsbG8="]}'),
    Row("image_data an object", 422, "no-image", b'{"image_data": {"b64": "aGVsbG8="}}'),
    Row("image_data empty", 422, "no-image", b'{"image_data": ""}'),
    Row("image_data of white space", 422, "no-image", b'{"image_data": "  \\n "}'),
    Row("not base64", 400, "not-base64", b'{"image_data": "?not base64?"}'),
    Row("base64 with its padding cut off", 400, "not-base64", b'{"image_data": "aGVsbG8"}'),
    Row("base64 of one character", 400, "not-base64", b'{"image_data": "a==="}'),
    Row("base64 with Japanese letters", 400, "not-base64", '{"image_data": "ねこ"}'.encode()),
    Row("a letter with an accent", 400, "not-base64", b'{"image_data": "\\u00c6"}'),
    Row("half a surrogate pair", 400, "not-base64", b'{"image_data": "\\ud800"}'),
    Row("a data: URL that is not base64", 400, "not-base64", b'{"image_data": "data:image/svg+xml,<svg/>"}'),
    Row("text as an image", 415, "unsupported-image", as_json(b"this is a text and not a picture")),
    Row("one zero byte", 415, "unsupported-image", as_json(b"\0")),
    Row("a thousand zero bytes", 415, "unsupported-image", as_json(b"\0" * 1000)),
    Row("a GIF cut off before its picture", 422, "undecodable", as_json(GIF[:40])),
    Row("a GIF cut off in its pixels", 422, "undecodable", GIF[: len(GIF) * 2 // 3], {"content-type": "image/gif"}),
    Row("a GIF bomb of 65,535x65,535", 413, "too-large", as_json(gif_bomb(65_535, 65_535))),
    Row("a GIF of a million blocks", 422, "undecodable", as_json(gif_of_blocks(1_000_000))),
    Row("a BMP cut off in its pixels", 422, "undecodable", as_json(BMP[:-100])),
    Row("a BMP of run lengths", 415, "unsupported-image", as_json(BMP[:30] + b"\1" + BMP[31:])),
    Row("a web address", 400, "not-base64", b'{"image_data": "https://example.com/cat.jpg"}'),
    Row(
        "a form with two files",
        422,
        "no-image",
        form_of(JPEG, JPEG),
        {"content-type": "multipart/form-data; boundary=b"},
    ),
    Row("an SVG", 415, "unsupported-image", SVG, {"content-type": "image/svg+xml"}),
    Row("a WebP cut off in its header", 422, "undecodable", as_json(encode_image(file_format="WEBP")[:20])),
    Row(
        "a WebP cut off in the middle",
        422,
        "undecodable",
        as_json(encode_image(file_format="WEBP", size=(300, 200))[:150]),
    ),
    Row("a WebP that does not begin with a picture", 422, "undecodable", as_json(b"RIFF\0\0\0\0WEBPANIM" + bytes(99))),
    Row("an animated WebP", 422, "undecodable", as_json(animated_webp((64, 48)))),
    Row(
        "a WebP of 20 million pixels",
        413,
        "too-large",
        as_json(encode_image(file_format="WEBP", size=(5000, 4000), method=0)),
    ),
    Row("a WebP of 268 million pixels", 413, "too-large", as_json(webp_bomb())),
    Row("an AVIF", 415, "unsupported-image", as_json(encode_image(file_format="AVIF"))),
    Row("a 16-bit PNG with an empty profile", 422, "undecodable", png_with(b"iCCP", b""), RAW),
    Row("a 16-bit PNG with a comment named transparency", 422, "undecodable", TRANSPARENCY, RAW),
    Row("a 16-bit PNG that is too wide for a JPEG", 413, "too-large", encode_image("I;16", (70_000, 3), "PNG"), RAW),
    Row("a JPEG of 5,000 scans", 422, "undecodable", jpeg_of_scans(5_000), RAW),
    Row("an arithmetic-coded JPEG", 415, "unsupported-image", jpeg_of_scans(2, start_of_frame=0xCA), RAW),
    Row("a PNG of 30,000 chunks", 422, "undecodable", png_of_chunks(30_000), RAW),
    Row("a PNG of one column and 70,000 rows", 413, "too-large", flat_png(1, 70_000), RAW),
    Row("a JPEG with EXIF and no end", 422, "undecodable", JPEG[:2] + EXIF * 300 + JPEG[2:], RAW),
    Row("a large JPEG that is cut off", 422, "undecodable", encode_image(size=(1600, 1200))[:9000], RAW),
    Row(
        "a large PNG that is cut off", 422, "undecodable", encode_image(size=(1600, 1200), file_format="PNG")[:999], RAW
    ),
    Row("a TIFF", 415, "unsupported-image", as_json(encode_image(file_format="TIFF"))),
    Row("a JPEG's first three bytes", 422, "undecodable", as_json(JPEG[:3])),
    Row("a JPEG cut off in its header", 422, "undecodable", as_json(JPEG[:30])),
    Row("a JPEG cut off in its pixels", 422, "undecodable", as_json(JPEG[: len(JPEG) * 2 // 3])),
    Row("a JPEG of 5,000 markers", 422, "undecodable", as_json(b"\xff\xd8" + b"\xff\xe0\0\2" * 5_000)),
    Row("a JPEG with its pixels overwritten", 422, "undecodable", as_json(JPEG[:300] + b"\xff" * 300)),
    Row(
        "a JPEG with garbage before its first segment",
        422,
        "undecodable",
        as_json(b"\xff\xd8\xff\0\0\x0d" + JPEG[2:]),
    ),
    Row("a JPEG of 20 MB of fill bytes", 422, "undecodable", b"\xff\xd8" + b"\xff" * 20_000_000, RAW),
    Row("a PNG's signature alone", 422, "undecodable", as_json(PNG[:8])),
    Row("a PNG cut off in its pixels", 422, "undecodable", as_json(PNG[:-60])),
    Row("a PNG without pixels", 422, "undecodable", as_json(png_bomb(0, 10))),
    Row("a PNG bomb of 30,000x30,000", 413, "too-large", as_json(png_bomb(30_000, 30_000))),
    Row("a PNG bomb of 2^31 pixels a side", 413, "too-large", as_json(png_bomb(2**31 - 1, 2**31 - 1))),
    Row("a body of 100 MB", 413, "too-large", b"x" * 100_000_000),
    Row("an image of 25 MB", 413, "too-large", JPEG + bytes(25_000_000), RAW),
    Row("a form without the field", 422, "no-image", b"--b--\r\n", {"content-type": "multipart/form-data; boundary=b"}),
    Row("a form without a boundary", 422, "no-image", b"hello", {"content-type": "multipart/form-data"}),
    Row("a form without parts", 422, "no-image", b"hello", {"content-type": "multipart/form-data; boundary=b"}),
    Row(
        "a form whose field is not a file",
        422,
        "no-image",
        b'--b\r\nContent-Disposition: form-data; name="image"\r\n\r\nhello\r\n--b--\r\n',
        {"content-type": "multipart/form-data; boundary=b"},
    ),
]


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
async def test_bad_input_gets_its_problem_and_the_service_keeps_running(row: Row, client: httpx.AsyncClient) -> None:
    response = await client.post("/predict", content=row.body, headers=row.headers)
    assert response.status_code == row.status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert list(problem) == ["type", "title", "status", "detail", "instance", "trace_id"]
    assert problem["type"].endswith(f":{row.problem}")
    assert problem["status"] == row.status
    assert problem["trace_id"] == response.headers["x-request-id"]
    assert (await client.get("/predict/test")).status_code == 200


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nowhere", 404), ("GET", "/predict", 405)])
async def test_an_unknown_path_or_method_gets_problem_details(
    method: str, path: str, status: int, client: httpx.AsyncClient
) -> None:
    response = await client.request(method, path)
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["status"] == status
