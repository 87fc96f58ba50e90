"""The image in a request, whichever of the three ways it came."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import pybase64
import pydantic_core
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from proxy.byte_budget import Upload
from proxy.errors import FieldMissing, NotBase64, NotJson, TooLarge, TooSlow
from proxy.image_header import ImageHeader, read_header

WHITESPACE: Final = b" \t\r\n\f\v"
BASE64_GROWTH: Final = 4 / 3
"""RFC 4648, section 4: three bytes become four characters."""
ENVELOPE: Final = 64 * 1024
"""Room for what surrounds the image in a body: JSON's keys, a form's headers, line breaks in the base64."""
PARTS: Final = (b",", b"[", b"{")
MOST_JSON_PARTS: Final = 10_000
"""Commas and opening brackets, of which base64 has none. A body of `[[],[],…` would become a gigabyte of lists."""
DRAINED: Final = 8
"""How many times the limit is read and thrown away, so that the client gets to read its answer."""


@dataclass(frozen=True, slots=True)
class UploadedImage:
    data: bytes
    """As the client encoded it."""
    header: ImageHeader


@dataclass(frozen=True, slots=True)
class Limits:
    max_bytes: int
    """Of one encoded image."""
    max_pixels: int
    """Width times height."""
    body_timeout: timedelta


async def read_image(request: Request, limits: Limits, upload: Upload) -> UploadedImage:
    """Return the image of a request, not yet decoded.

    It comes as a raw body (`image/*`), as a form's field `image` (`multipart/form-data`), or, whatever the content
    type says, as JSON `{"image_data": "<base64>"}`. Raises a `BadRequest`, or `Overloaded`.
    """
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        async with asyncio.timeout(limits.body_timeout.total_seconds()):
            body = await _read_body(request, int(limits.max_bytes * BASE64_GROWTH * 1.04) + ENVELOPE, upload)
    except TimeoutError:
        raise TooSlow(f"the body took longer than {limits.body_timeout.total_seconds():g} s: send it faster") from None
    if content_type.startswith("image/") or content_type == "application/octet-stream":
        image = body
    elif content_type == "multipart/form-data":
        image = await _from_form(request, body)
    else:
        image = _from_json(body)
    if not image:
        raise FieldMissing("the image is empty: send the bytes of a JPEG, PNG or WebP")
    if len(image) > limits.max_bytes:
        raise TooLarge(f"the image has {len(image)} bytes; at most {limits.max_bytes} are taken")
    header = read_header(image)
    if header.pixels > limits.max_pixels:
        raise TooLarge(
            f"the image has {header.width}x{header.height} pixels; at most {limits.max_pixels} are taken: scale it down"
        )
    return UploadedImage(image, header)


async def _read_body(request: Request, max_bytes: int, upload: Upload) -> bytes:
    chunks: list[bytes] = []
    received = 0
    async for chunk in request.stream():
        received += len(chunk)
        if received <= max_bytes:
            upload.take(len(chunk))
            chunks.append(chunk)
        elif received > DRAINED * max_bytes:
            break
        else:
            chunks.clear()
            upload.release()
    if received > max_bytes:
        raise TooLarge(f"the body has more than {max_bytes} bytes: send a smaller image")
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


async def _from_form(request: Request, body: bytes) -> bytes:
    async def stream() -> AsyncGenerator[bytes, None]:
        yield body

    try:
        form = await MultiPartParser(request.headers, stream(), max_part_size=len(body)).parse()
    except (MultiPartException, KeyError, ValueError) as error:
        raise FieldMissing(f"the form can't be read ({error}): send a field 'image' with a file") from error
    try:
        field = form.get("image")
        if not isinstance(field, UploadFile):
            raise FieldMissing("the form has no file in a field 'image': send one, as in curl -F image=@cat.jpg")
        return await field.read()
    finally:
        await form.close()


def _from_json(body: bytes) -> bytes:
    document = _parse_json(body)
    if not isinstance(document, dict):
        raise FieldMissing('the JSON is not an object: send {"image_data": "<base64>"}')
    encoded = document.get("image_data")
    if encoded is None:
        raise FieldMissing('there is no image_data: send {"image_data": "<base64>"}')
    if not isinstance(encoded, str):
        raise FieldMissing("image_data is not a string: send the image in base64")
    return decode_base64(encoded)


def _parse_json(body: bytes) -> object:
    if _may_have_many_parts(body) and sum(map(body.count, PARTS)) > MOST_JSON_PARTS:
        raise NotJson(
            f'the JSON has more than {MOST_JSON_PARTS} parts: send {{"image_data": "<base64>"}} and little else'
        )
    try:
        return pydantic_core.from_json(body)
    except ValueError as strictly:
        try:  # raw line breaks inside a string, as `base64` without -w0 puts them, are worth a second look
            return json.loads(body.decode("utf-8-sig"), strict=False)
        except (ValueError, RecursionError):
            raise NotJson(
                f'the body is not JSON ({strictly}): send {{"image_data": "<base64>"}}, or the image itself with '
                "content-type image/jpeg, image/png or image/webp"
            ) from None


def _may_have_many_parts(body: bytes) -> bool:
    """To look for a byte takes a fiftieth of the time that it takes to count it, and there is but the first brace."""
    return b"," in body or b"[" in body or body.find(b"{", 1) > 0


def decode_base64(encoded: str) -> bytes:
    """Decode standard base64; white space anywhere in it, and a `data:` URL's prefix, are passed over."""
    if encoded[:5].lower() == "data:":
        head, comma, encoded = encoded.partition(",")
        if not comma or not head.lower().endswith(";base64"):
            raise NotBase64("image_data is a data: URL that is not base64: it must begin data:image/jpeg;base64,")
    with suppress(ValueError):  # there may be white space in it
        return pybase64.b64decode(encoded, validate=True)
    try:
        return pybase64.b64decode(encoded.encode("ascii").translate(None, WHITESPACE), validate=True)
    except ValueError:  # binascii.Error and UnicodeEncodeError are some
        raise NotBase64("image_data is not base64: it is cut off, or has characters that are not base64's") from None
