"""Forms as browsers and curl send them, and forms that no client should send."""

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.errors import BadRequest, FieldMissing, TooLarge
from proxy.form import MAX_FIELD_BYTES, MAX_PARTS, image_of

TYPE = "multipart/form-data; boundary=b"
PART = b'--b\r\nContent-Disposition: form-data; name="image"; filename="a.jpg"\r\n\r\n'
END = b"\r\n--b--\r\n"


@given(st.binary().filter(lambda data: b"\r\n--b" not in data))
def test_the_image_is_returned_to_the_byte(data: bytes) -> None:
    assert image_of(TYPE, PART + data + END) == data


@pytest.mark.parametrize("fields", [{}, {"other": "text"}, {"image": "not a file"}])
def test_a_form_of_httpx_is_read(fields: dict[str, str]) -> None:
    request = httpx.Request("POST", "http://x", data=fields, files={"image": ('a "cat".jpg', b"\xff\xd8\r\n--")})
    assert image_of(request.headers["content-type"], request.read()) == b"\xff\xd8\r\n--"


@pytest.mark.parametrize(
    "disposition",
    [
        b'form-data; name="image"; filename="a.jpg"',
        b"form-data; name=image; filename=a.jpg",
        b'FORM-DATA;NAME="image";FileName=""',
        b'form-data; filename="; name=\\"x\\"; a.jpg"; name="image"',
        b"form-data; name=\"image\"; filename*=UTF-8''%e2%82%ac",
    ],
)
def test_a_content_disposition_may_have_each_valid_form(disposition: bytes) -> None:
    head = b"--b\r\nContent-Type: image/jpeg\r\ncontent-disposition: " + disposition + b"\r\n\r\n"
    assert image_of(TYPE, head + b"data" + END) == b"data"


@pytest.mark.parametrize(
    "content_type",
    [
        'multipart/form-data; boundary="b"',
        "multipart/form-data;boundary=b",
        "multipart/form-data; charset=punycode; BOUNDARY=b",
    ],
)
def test_a_boundary_may_be_quoted_and_beside_other_parameters(content_type: str) -> None:
    assert image_of(content_type, b"preamble\r\n" + PART + b"data" + END + b"epilogue") == b"data"


@pytest.mark.parametrize(
    "content_type",
    [
        "multipart/form-data",
        "multipart/form-data; boundary=",
        f"multipart/form-data; boundary={'b' * 71}",
        "; boundary= ",
    ],
)
def test_an_invalid_boundary_is_refused(content_type: str) -> None:
    with pytest.raises(FieldMissing, match="boundary"):
        image_of(content_type, PART + b"data" + END)


def field(name: bytes, data: bytes) -> bytes:
    return b'--b\r\nContent-Disposition: form-data; name="' + name + b'"\r\n\r\n' + data + b"\r\n"


@pytest.mark.parametrize(
    ("body", "error", "match"),
    [
        (b"", FieldMissing, "no parts"),
        (b"hello", FieldMissing, "no parts"),
        (b"--b--\r\n", FieldMissing, "no field 'image'"),
        (field(b"image", b"text") + b"--b--", FieldMissing, "no field 'image'"),
        (PART + b"data", FieldMissing, "cut off"),
        (b"--b\r\nContent-Disposition: form-data", FieldMissing, "headers"),
        (b"--b\r\nx: " + b"a" * 9000 + b"\r\n\r\n" + END, FieldMissing, "headers"),
        (field(b"a", b"") * (MAX_PARTS + 1) + PART + b"data" + END, FieldMissing, "parts"),
        (field(b"a", b"x" * (MAX_FIELD_BYTES + 1)) + PART + b"data" + END, TooLarge, "field other than"),
    ],
)
def test_an_invalid_form_is_refused(body: bytes, error: type[BadRequest], match: str) -> None:
    with pytest.raises(error, match=match):
        image_of(TYPE, body)


@given(st.text(), st.lists(st.sampled_from([PART, END, b"--b", b"\r\n", b"a" * 50, b'"; name="', b";" * 9, b"\\"])))
def test_any_form_is_read_or_refused(content_type: str, pieces: list[bytes]) -> None:
    for declared in (TYPE, content_type):
        try:
            image_of(declared, b"".join(pieces))
        except BadRequest:
            continue


@pytest.mark.parametrize(
    "piece",
    [b"\r\n--" + b"a" * 69, b"\r\n--" + b"a" * 35, b"\r", b"a", b"--" + b"a" * 70 + b"\r\n\r\n", b"\r\n\r\n"],
)
def test_the_time_is_linear_in_the_size(piece: bytes) -> None:
    """Quadratic time would be hours: the limit is the test's timeout."""
    boundary = b"a" * 70
    body = b"--" + boundary + b"\r\nx: y\r\n\r\n" + piece * (20_000_000 // len(piece))
    with pytest.raises(BadRequest):
        image_of(f"multipart/form-data; boundary={boundary.decode()}", body)
