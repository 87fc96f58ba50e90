"""Reads the image out of a form (`multipart/form-data`, RFC 7578) that is in memory, in time linear to its size."""

import re
from typing import Final

from proxy.errors import FieldMissing, TooLarge

FIELD: Final = b"image"
MAX_PARTS: Final = 100
MAX_HEADER_BYTES: Final = 8 * 1024
"""Of the headers of one part."""
MAX_FIELD_BYTES: Final = 64 * 1024
"""Of each field before the image."""
BOUNDARY: Final = re.compile(
    r"""boundary=(?:"([0-9A-Za-z'()+_,./:=? -]{0,69}[^" ])"|([^\s";]{1,70}))\s*""", re.IGNORECASE
)
"""RFC 2046, section 5.1.1."""
PARAMETER: Final = re.compile(rb""";[ \t]*(name|filename\*?)=("(?:[^"\\]|\\.)*"|[^ \t;"]*)""", re.IGNORECASE)
"""Of a Content-Disposition."""
ADVICE: Final = "send a field 'image' with a file, as in curl -F image=@cat.jpg"


def image_of(content_type: str, body: bytes) -> bytes:
    """Return the content of the only file in a field `image`. Raises `FieldMissing` and `TooLarge`.

    Clients choose no character set: names are compared as bytes. No part but the image is decoded or copied.
    """
    delimiter = b"\r\n--" + _boundary(content_type)
    start = 0 if body.startswith(delimiter[2:]) else body.find(delimiter) + 2
    if not body.startswith(delimiter[2:], start):
        raise FieldMissing(f"the form has no parts: {ADVICE}")
    start += len(delimiter) - 2
    for _ in range(MAX_PARTS):
        if not body.startswith(b"\r\n", start):  # `--` ends the form
            raise FieldMissing(f"the form has no field 'image' with a file: {ADVICE}")
        content = body.find(b"\r\n\r\n", start, start + MAX_HEADER_BYTES) + 4
        if content < 4:
            raise FieldMissing(f"a part of the form has no headers, or too large ones: {ADVICE}")
        end = body.find(delimiter, content - 2)  # an empty part shares the line break that ends its headers
        if end < 0:
            raise FieldMissing(f"the form is cut off: {ADVICE}")
        if _is_image(body[start : content - 2]):
            if _has_image(body, delimiter, end + len(delimiter)):
                raise FieldMissing(
                    f"the form has several files in 'image': send one request for each of them; {ADVICE}"
                )
            return body[content:end]
        if end - content > MAX_FIELD_BYTES:
            raise TooLarge(f"a field other than 'image' has more than {MAX_FIELD_BYTES} bytes: {ADVICE}")
        start = end + len(delimiter)
    raise FieldMissing(f"the form has more than {MAX_PARTS} parts: {ADVICE}")


def _has_image(body: bytes, delimiter: bytes, start: int) -> bool:
    """Return whether one of the parts from `start` on is a file in a field `image`."""
    for _ in range(MAX_PARTS):
        content = body.find(b"\r\n\r\n", start, start + MAX_HEADER_BYTES)
        if content < 0 or not body.startswith(b"\r\n", start):
            return False
        if _is_image(body[start : content + 2]):
            return True
        end = body.find(delimiter, content + 2)
        if end < 0:
            return False
        start = end + len(delimiter)
    return False


def _boundary(content_type: str) -> bytes:
    for parameter in content_type[:1000].split(";")[1:]:
        if match := BOUNDARY.fullmatch(parameter.strip()):
            return (match[1] or match[2]).encode("latin-1")
    raise FieldMissing(f"the form's content type has no valid boundary: {ADVICE}")


def _is_image(headers: bytes) -> bool:
    for line in headers.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-disposition":
            parameters = {key.lower(): text.strip(b'"') for key, text in PARAMETER.findall(value)}
            return parameters.get(b"name") == FIELD and any(key.startswith(b"filename") for key in parameters)
    return False
