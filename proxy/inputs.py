"""What clients submit, by the setting `INPUT`: an image, a text, or bytes of any kind.

Each input reads the payload of a request. The batcher, the queue and the worker treat all payloads alike.
"""

import re
from dataclasses import dataclass
from typing import Final, Protocol

from starlette.requests import Request

from proxy.body import BodyRate, read_body
from proxy.errors import FieldMissing, NotText, TooLarge
from proxy.json_body import read_string
from proxy.normalizer import Normalizer
from proxy.timings import Timings
from proxy.uploaded_image import (
    BASE64_BODY_GROWTH,
    MAX_OVERHEAD_BYTES,
    Limits,
    content_type,
    decode_base64,
    read_image,
)

ESCAPE_GROWTH: Final = 6
"""JSON may write an ASCII character as `\\u0041`."""
CHARSET: Final = re.compile(r"""; *charset="?([^\s";]+)""", re.IGNORECASE)
MAX_TEXT_DELIMITERS: Final = 200_000
"""Commas and brackets around the text in a JSON body. As lists, they would take 13 MB."""
MAX_DATA_DELIMITERS: Final = 10_000
"""Base64 has none."""


class Input(Protocol):
    async def read(self, request: Request) -> tuple[bytes, Timings]:
        """Return the payload for the models, and timings that start when the body is there.

        Raises a `BadRequest`, or `Overloaded`.
        """


@dataclass(frozen=True, slots=True)
class ImageInput:
    limits: Limits
    normalizer: Normalizer

    async def read(self, request: Request) -> tuple[bytes, Timings]:
        uploaded = await read_image(request, self.limits)
        timings = Timings()
        image = await self.normalizer.normalize(uploaded.data, uploaded.header)
        if image is not uploaded.data:
            timings.record("normalize")
        return image, timings


@dataclass(frozen=True, slots=True)
class TextInput:
    max_bytes: int
    """Of the text in UTF-8."""
    body_rate: BodyRate

    async def read(self, request: Request) -> tuple[bytes, Timings]:
        max_body_bytes = self.max_bytes * ESCAPE_GROWTH + MAX_OVERHEAD_BYTES
        body = await read_body(request, max_body_bytes, self.body_rate, request.state.upload)
        is_plain = content_type(request) == "text/plain"
        text = plain_text(body, request.headers["content-type"]) if is_plain else text_from_json(body)
        return _checked(text, self.max_bytes, "text"), Timings()


@dataclass(frozen=True, slots=True)
class BytesInput:
    max_bytes: int
    body_rate: BodyRate

    async def read(self, request: Request) -> tuple[bytes, Timings]:
        max_body_bytes = int(self.max_bytes * BASE64_BODY_GROWTH) + MAX_OVERHEAD_BYTES
        body = await read_body(request, max_body_bytes, self.body_rate, request.state.upload)
        is_raw = content_type(request) == "application/octet-stream"
        return _checked(body if is_raw else _json_data(body), self.max_bytes, "data"), Timings()


def plain_text(body: bytes, declared_type: str) -> bytes:
    """Return the body if it is UTF-8. Raises `NotText`."""
    charset = CHARSET.search(declared_type[:1000])
    if charset and charset[1].lower() not in ("utf-8", "utf8", "us-ascii"):
        raise NotText("the content type names another character set than UTF-8: send the text in UTF-8")
    try:
        body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise NotText(f"the text is not UTF-8 (byte {error.start}): send it in UTF-8") from None
    return body


def text_from_json(body: bytes) -> bytes:
    """Return the text in UTF-8. Raises `NotJson`, `FieldMissing` or `NotText`."""
    text = read_string(
        body,
        "text",
        example='{"text": "…"}',
        alternative="the text itself with content-type text/plain",
        max_delimiters=MAX_TEXT_DELIMITERS,
    )
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise NotText("the text has half a surrogate pair: write both halves of the character") from None


def _json_data(body: bytes) -> bytes:
    encoded = read_string(
        body,
        "data",
        example='{"data": "<base64>"}',
        alternative="the bytes themselves with content-type application/octet-stream",
        max_delimiters=MAX_DATA_DELIMITERS,
    )
    return decode_base64(encoded, "data")


def _checked(payload: bytes, max_bytes: int, noun: str) -> bytes:
    if not payload:
        raise FieldMissing(f"the {noun} is empty")
    if len(payload) > max_bytes:
        raise TooLarge(f"the {noun} has {len(payload)} bytes, and the limit is {max_bytes}: send less")
    return payload
