"""Reads the image in a request: from a raw body, a form, or JSON."""

from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import pybase64
from starlette.requests import Request

from proxy.body import BodyRate, read_body
from proxy.errors import FieldMissing, NotBase64, TooLarge
from proxy.form import image_of
from proxy.image_header import READ_TYPES, ImageHeader, read_header
from proxy.json_body import read_string

WHITESPACE: Final = b" \t\r\n\f\v"
BASE64_GROWTH: Final = 4 / 3
"""RFC 4648, section 4: three bytes become four characters."""
MAX_OVERHEAD_BYTES: Final = 64 * 1024
"""The size of JSON keys or a form's headers around the encoded image."""
MAX_LINE_BREAKS: Final = 0.04
"""Line breaks in base64, as a share of its length. CRLF after each 76 characters (RFC 2045) is 0.03."""
BASE64_BODY_GROWTH: Final = BASE64_GROWTH * (1 + MAX_LINE_BREAKS)
WEB_ADDRESSES: Final = ("http://", "https://")
MAX_JSON_DELIMITERS: Final = 10_000
"""Base64 contains no commas and brackets."""


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
    type_ = content_type(request)
    max_body_bytes = int(limits.max_bytes * BASE64_BODY_GROWTH) + MAX_OVERHEAD_BYTES
    body = await read_body(request, max_body_bytes, limits.body_rate, request.state.upload)
    if type_.startswith("image/") or type_ == "application/octet-stream":
        image = body
    elif type_ == "multipart/form-data":
        image = image_of(request.headers["content-type"], body)
    else:
        image = image_from_json(body)
    if not image:
        raise FieldMissing(f"the image is empty: send the bytes of a {READ_TYPES}")
    if len(image) > limits.max_bytes:
        raise TooLarge(f"the image has {len(image)} bytes, and the limit is {limits.max_bytes}: send a smaller file")
    header = read_header(image)
    if header.pixels > limits.max_pixels:
        raise TooLarge(
            f"the image has {header.width}x{header.height} pixels, and the limit is {limits.max_pixels}: scale it down"
        )
    return UploadedImage(image, header)


def content_type(request: Request) -> str:
    """Return the media type that the request declares, without parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def image_from_json(body: bytes) -> bytes:
    encoded = read_string(
        body,
        "image_data",
        example='{"image_data": "<base64>"}',
        alternative="the image itself with content-type image/jpeg, image/png, image/webp, image/gif or image/bmp",
        max_delimiters=MAX_JSON_DELIMITERS,
    )
    return decode_base64(encoded)


def decode_base64(encoded: str, key: str = "image_data") -> bytes:
    """Decode standard base64, from the member `key` of a JSON body.

    White space and the prefix of a `data:` URL are ignored.
    """
    if encoded[:5].lower() == "data:":
        head, comma, encoded = encoded.partition(",")
        if not comma or not head.lower().endswith(";base64"):
            raise NotBase64(f"{key} is a data: URL without base64: it must begin with data:image/jpeg;base64,")
    if encoded[:8].lower().startswith(WEB_ADDRESSES):
        raise NotBase64(f"{key} is a web address, and this service fetches nothing: download it, and send it as base64")
    with suppress(ValueError):  # the fast path, without white space
        return pybase64.b64decode(encoded, validate=True)
    try:
        return pybase64.b64decode(encoded.encode("ascii").translate(None, WHITESPACE), validate=True)
    except ValueError:  # also binascii.Error and UnicodeEncodeError
        raise NotBase64(f"{key} is not base64: it is cut off or contains other characters; encode it again") from None
