"""Reads the image in a request: from a raw body, a form, or JSON."""

import json
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import pybase64
import pydantic_core
from starlette.requests import Request

from proxy.body import BodyRate, read_body
from proxy.errors import FieldMissing, NotBase64, NotJson, TooLarge
from proxy.form import image_of
from proxy.image_header import ImageHeader, read_header

WHITESPACE: Final = b" \t\r\n\f\v"
BASE64_GROWTH: Final = 4 / 3
"""RFC 4648, section 4: three bytes become four characters."""
MAX_OVERHEAD_BYTES: Final = 64 * 1024
"""The size of JSON keys or a form's headers around the encoded image."""
MAX_LINE_BREAKS: Final = 0.04
"""Line breaks in base64, as a share of its length. CRLF after each 76 characters (RFC 2045) is 0.03."""
JSON_DELIMITERS: Final = (b",", b"[", b"{")
MAX_JSON_DELIMITERS: Final = 10_000
"""A body of `[[],[],…` would become a gigabyte of lists. Base64 contains no delimiters."""


@dataclass(frozen=True, slots=True)
class UploadedImage:
    data: bytes
    header: ImageHeader


@dataclass(frozen=True, slots=True)
class Limits:
    max_bytes: int
    """Size of one encoded image."""
    max_pixels: int
    body_rate: BodyRate


async def read_image(request: Request, limits: Limits) -> UploadedImage:
    """Return the image of a request as the client encoded it.

    The content type selects a raw body (`image/*`) or a form's field `image` (`multipart/form-data`). With any other
    content type, the body is JSON: `{"image_data": "<base64>"}`. Raises a `BadRequest`, or `Overloaded`.
    """
    declared_type = request.headers.get("content-type", "")
    content_type = declared_type.partition(";")[0].strip().lower()
    max_body_bytes = int(limits.max_bytes * BASE64_GROWTH * (1 + MAX_LINE_BREAKS)) + MAX_OVERHEAD_BYTES
    body = await read_body(request, max_body_bytes, limits.body_rate, request.state.upload)
    if content_type.startswith("image/") or content_type == "application/octet-stream":
        image = body
    elif content_type == "multipart/form-data":
        image = image_of(declared_type, body)
    else:
        image = image_from_json(body)
    if not image:
        raise FieldMissing("the image is empty: send the bytes of a JPEG, PNG or WebP")
    if len(image) > limits.max_bytes:
        raise TooLarge(f"the image has {len(image)} bytes, and the limit is {limits.max_bytes}: send a smaller file")
    header = read_header(image)
    if header.pixels > limits.max_pixels:
        raise TooLarge(
            f"the image has {header.width}x{header.height} pixels, and the limit is {limits.max_pixels}: scale it down"
        )
    return UploadedImage(image, header)


def image_from_json(body: bytes) -> bytes:
    document = _parse_json(body)
    if not isinstance(document, dict):
        raise FieldMissing('the JSON is not an object: send {"image_data": "<base64>"}')
    encoded = document.get("image_data")
    if encoded is None:
        raise FieldMissing('image_data is missing: send {"image_data": "<base64>"}')
    if not isinstance(encoded, str):
        raise FieldMissing("image_data is not a string: send the image as base64")
    return decode_base64(encoded)


def _parse_json(body: bytes) -> object:
    if _may_have_many_delimiters(body) and sum(map(body.count, JSON_DELIMITERS)) > MAX_JSON_DELIMITERS:
        raise NotJson(
            f'the JSON has more than {MAX_JSON_DELIMITERS} commas and brackets: send only {{"image_data": "<base64>"}}'
        )
    try:
        return pydantic_core.from_json(body)
    except ValueError as strict_error:
        try:  # `base64` without -w0 puts raw line breaks into the string, which only the lenient parser accepts
            return json.loads(body.decode("utf-8-sig"), strict=False)
        except (ValueError, RecursionError):
            raise NotJson(
                f'the body is not JSON ({strict_error}): send {{"image_data": "<base64>"}}, or the image itself with '
                "content-type image/jpeg, image/png or image/webp"
            ) from None


def _may_have_many_delimiters(body: bytes) -> bool:
    """Finding a byte is fifty times faster than counting it, and the usual body has only its first brace."""
    return b"," in body or b"[" in body or body.find(b"{", 1) > 0


def decode_base64(encoded: str) -> bytes:
    """Decode standard base64. White space and the prefix of a `data:` URL are ignored."""
    if encoded[:5].lower() == "data:":
        head, comma, encoded = encoded.partition(",")
        if not comma or not head.lower().endswith(";base64"):
            raise NotBase64("image_data is a data: URL without base64: it must begin with data:image/jpeg;base64,")
    with suppress(ValueError):  # the fast path, without white space
        return pybase64.b64decode(encoded, validate=True)
    try:
        return pybase64.b64decode(encoded.encode("ascii").translate(None, WHITESPACE), validate=True)
    except ValueError:  # also binascii.Error and UnicodeEncodeError
        raise NotBase64(
            "image_data is not base64: it is cut off or contains other characters; encode it again"
        ) from None
