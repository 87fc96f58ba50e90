"""Forms (multipart/form-data)."""

from typing import Final

from tests.attack.attack import MB, Attack, Shot, post
from tests.attack.bombs import large_png
from tests.attack.head_attacks import once

TYPE: Final = b"multipart/form-data; boundary=b"
END: Final = b"\r\n--b--\r\n"


def part(headers: bytes, content: bytes) -> bytes:
    return b"--b\r\nContent-Disposition: form-data; " + headers + b"\r\n\r\n" + content


def form(body: bytes, content_type: bytes = TYPE) -> Shot:
    return once(post(len(body), content_type), body, stall_s=60)


def punycode() -> Shot:
    return form(part(b'name="a"', b"a" * 1_000_000) + END, TYPE + b"; charset=punycode")


def many_parts() -> Shot:
    return form((part(b'name="a"', b"") + b"\r\n") * 50_000 + b"--b--\r\n")


def upload(content: bytes) -> Shot:
    return form(part(b'name="image"; filename="a"', content) + END)


def valid(name: str, size: int, clients: int = 4) -> Attack:
    """Forms of the same size with a valid image."""
    return Attack(f"{name}, valid", lambda: upload(large_png(size)), clients=clients)


def near_boundaries() -> Shot:
    """Almost a boundary at every byte."""
    boundary = b"a" * 69
    body = b"--" + boundary + b"b\r\n" + (b"\r\n--" + boundary) * (18 * MB // 73)
    return form(body, b"multipart/form-data; boundary=" + boundary + b"b")


def long_part_header() -> Shot:
    return form(part(b'name="image"; filename="' + b"a" * 10 * MB + b'"', b"") + END)


ATTACKS: Final = [
    Attack("form: charset=punycode, 1 MB", punycode, clients=1, min_s=4, is_in_tests=True),
    Attack("form: 50,000 parts", many_parts, twin=valid("form: 4 MB", 4 * MB)),
    Attack(
        "form: 8 of 19 MB",
        lambda: upload(b"a" * 19 * MB),
        clients=8,
        twin=valid("form: 8 of 19 MB", 19 * MB, 8),
        is_in_tests=True,
    ),
    Attack("form: 8 of 1.5 MB", lambda: upload(b"a" * (3 * MB // 2)), clients=8),
    Attack("form: near boundaries", near_boundaries, twin=valid("form: 18 MB", 18 * MB)),
    Attack("form: a part's header of 10 MB", long_part_header, twin=valid("form: 10 MB", 10 * MB)),
    Attack("form: a boundary of 50 KB", lambda: form(b"a" * MB, b"multipart/form-data; boundary=" + b"b" * 50_000)),
]
