"""What is fuzzed. A target accepts any bytes; an exception is a finding."""

import base64
import re
import struct
import warnings
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from tensorflow.core.framework import types_pb2
from tensorflow_serving.apis.predict_pb2 import PredictRequest

from image_structure import png
from local_tf_serving import json_request, pixels
from local_tf_serving.errors import ServingError
from proxy.errors import BadRequest, NotBase64, Overloaded
from proxy.exif import read_orientation
from proxy.form import image_of
from proxy.image_header import ImageHeader, read_header
from proxy.inputs import plain_text, text_from_json
from proxy.normalizer import scaled_size, to_upright_jpeg
from proxy.uploaded_image import decode_base64, image_from_json
from tests.fuzz.http_connection import http_connection

CORPUS: Final = Path(__file__).with_name("corpus")
SIDE: Final = 16
MAX_DECODED_PIXELS: Final = 100_000
"""Larger images would make the fuzzer slow. The proxy limits pixels too."""
MODEL_INPUTS: Final[Mapping[str, int]] = {"image_bytes": types_pb2.DT_STRING}
MANY_INPUTS: Final[Mapping[str, int]] = {
    "x": types_pb2.DT_FLOAT, "flag": types_pb2.DT_BOOL, "number": types_pb2.DT_INT64, "text": types_pb2.DT_STRING,
}  # fmt: skip


def image_header(data: bytes) -> None:
    if (header := _header(data)) is not None:
        assert header.pixels > 0
        assert 1 <= header.orientation <= 8
        assert 0 < header.end <= len(data)


def exif(data: bytes) -> None:
    assert 1 <= read_orientation(data) <= 8


def png_chunks(data: bytes) -> None:
    end = 0
    for _, offset, length in png.chunks(png.SIGNATURE + data):
        assert offset > end
        end = offset + length


def normalized_image(data: bytes) -> None:
    """The decoder sees the image that was checked, and the result is a plain JPEG of the size that was computed."""
    data = _with_checksums(data)
    header = _header(data)
    if header is None or header.pixels > MAX_DECODED_PIXELS:
        return
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # as the proxy does for Pillow's warnings
            jpeg = to_upright_jpeg(data[: header.end], header, SIDE)
    except (BadRequest, Overloaded):
        return
    result = read_header(jpeg)
    assert result.is_plain
    assert sorted((result.width, result.height)) == sorted(scaled_size(header.width, header.height, SIDE))


def model_server_image(data: bytes) -> None:
    data = _with_checksums(data)
    header = _header(data)
    if header is not None and header.pixels > MAX_DECODED_PIXELS:
        return
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            pixels.fill(np.zeros((SIDE, SIDE, 3), np.float32), data)
    except ServingError:
        return
    assert header is not None, "the model server accepts what the proxy refuses"


def form(data: bytes) -> None:
    """The first line is the content type."""
    content_type, _, body = data.partition(b"\n")
    try:
        image = image_of(content_type.decode("latin-1"), body)
    except BadRequest:
        return
    assert image in body


def json_body(data: bytes) -> None:
    try:
        image = image_from_json(data)
    except BadRequest:
        return
    assert len(image) <= len(data)


def text_bodies(data: bytes) -> None:
    """What is accepted is UTF-8. A content type ends at the first line break."""
    declared_type, _, body = data.partition(b"\n")
    for read in (text_from_json, lambda body: plain_text(body, declared_type.decode("latin-1"))):
        try:
            text = read(body)
        except BadRequest:
            continue
        text.decode("utf-8")


def base64_text(data: bytes) -> None:
    """Whatever is accepted is the base64 of the result."""
    text = data.decode("utf-8", "surrogateescape")
    try:
        image = decode_base64(text)
    except NotBase64:
        return
    encoded = re.sub(r"[ \t\r\n\f\v]", "", text.partition(",")[2] if text[:5].lower() == "data:" else text)
    assert len(encoded) % 4 == 0
    assert base64.b64decode(encoded, validate=True) == image


def serving_json(data: bytes) -> None:
    """The first byte selects the model's inputs."""
    types = MANY_INPUTS if data[:1] == b"m" else MODEL_INPUTS
    request = PredictRequest()
    try:
        json_request.read(data[1:], lambda _: types, request)
    except ServingError as error:
        error.message.encode()
        return
    request.SerializeToString()


def _with_checksums(data: bytes) -> bytes:
    """Correct the checksums of a PNG, without which the fuzzer would not get beyond them."""
    if not data.startswith(png.SIGNATURE):
        return data
    image = bytearray(data)
    for _, offset, length in png.chunks(data):
        struct.pack_into(
            ">I", image, min(offset + length, len(image) - 4), zlib.crc32(data[offset - 4 : offset + length])
        )
    return bytes(image)


def _header(data: bytes) -> ImageHeader | None:
    try:
        return read_header(data)
    except BadRequest:
        return None


@dataclass(frozen=True, slots=True)
class Target:
    run: Callable[[bytes], None]
    corpus: str
    """The directory of its first inputs."""


TARGETS: Final = {
    "image_header": Target(image_header, "images"),
    "normalized_image": Target(normalized_image, "images"),
    "model_server_image": Target(model_server_image, "images"),
    "png_chunks": Target(png_chunks, "png_chunks"),
    "exif": Target(exif, "exif"),
    "form": Target(form, "form"),
    "json_body": Target(json_body, "json"),
    "text_bodies": Target(text_bodies, "text"),
    "base64_text": Target(base64_text, "base64"),
    "serving_json": Target(serving_json, "serving_json"),
    "http_connection": Target(http_connection, "http"),
}
