"""A file that is not an image that the service reads is named."""

import gzip
import io
import zipfile

import pytest

from proxy.errors import UnsupportedImage
from proxy.file_type import file_type
from proxy.image_header import read_header
from tests.images import encode_image


def zipped() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("a", "text")
    return out.getvalue()


FILES = {
    "a HEIC image": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
    "an AVIF image": encode_image(file_format="AVIF"),
    "a video or audio file": b"\0\0\0\x18ftypisom\0\0\2\0isomiso2",
    "a TIFF image": encode_image(file_format="TIFF"),
    "a JPEG 2000 image": encode_image(file_format="JPEG2000"),
    "an icon (ICO)": encode_image(file_format="ICO"),
    "a PDF": encode_image(file_format="PDF"),
    "an SVG, which is a drawing and not pixels": b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>',
    "an HTML page": b"\n<!DOCTYPE html>\n<title>Not found</title>",
    "an XML document": b"<?xml version='1.0'?><error/>",
    "a ZIP archive or an Office document": zipped(),
    "a gzip archive": gzip.compress(b"text"),
    "text": b"cat.jpg: no such file\n",
}


@pytest.mark.parametrize("name", FILES)
def test_a_415_names_what_it_saw(name: str) -> None:
    with pytest.raises(UnsupportedImage) as refusal:
        read_header(FILES[name])
    assert str(refusal.value) == f"the image is {name}, which this service does not read: convert it to a JPEG or PNG"


def test_an_avif_with_a_general_first_brand_is_not_taken_for_a_heic() -> None:
    assert file_type(b"\0\0\0\x1cftypmif1\0\0\0\0mif1avif") == "an AVIF image"
    assert file_type(b"\0\0\0\x1cftypmif1\0\0\0\0mif1heic") == "a HEIC image"


def test_for_unknown_bytes_the_types_that_the_service_reads_are_listed() -> None:
    with pytest.raises(UnsupportedImage, match="not a JPEG, PNG, WebP, GIF or BMP: convert it to one of them"):
        read_header(bytes(100))
