"""Reads a string out of a JSON body, within limits on what a parser builds from it."""

import json
import re
from typing import Final

import pydantic_core

from proxy.errors import FieldMissing, NotJson

DELIMITERS: Final = (b",", b"[", b"{")
TOKEN: Final = re.compile(rb'"[^"\\]*+(?:\\.?+[^"\\]*+)*+"?+|[,\[{]', re.DOTALL)
"""A string, or a delimiter outside of strings."""
QUOTE: Final = ord('"')


def read_string(body: bytes, key: str, *, example: str, alternative: str, max_delimiters: int) -> str:
    """Return the member `key` of the JSON object in `body`. Raises `NotJson` or `FieldMissing`.

    A body of `[[],[],…` would become a gigabyte of lists, so the commas and brackets outside of strings are
    limited. Clients see the `example` of a right body, and the `alternative` to JSON.
    """
    document = _parse(body, example, alternative, max_delimiters)
    if not isinstance(document, dict):
        raise FieldMissing(f"the JSON is not an object: send {example}")
    value = document.get(key)
    if value is None:
        raise FieldMissing(f"{key} is missing: send {example}")
    if not isinstance(value, str):
        raise FieldMissing(f"{key} is not a string: send {example}")
    return value


def _parse(body: bytes, example: str, alternative: str, max_delimiters: int) -> object:
    if _may_have_many_delimiters(body) and _has_more_delimiters(body, max_delimiters):
        raise NotJson(f"the JSON has more than {max_delimiters} commas and brackets: send only {example}")
    try:
        return pydantic_core.from_json(body)
    except ValueError as strict_error:
        try:  # `base64` without -w0 puts raw line breaks into the string, which only the lenient parser accepts
            return json.loads(body.decode("utf-8-sig"), strict=False)
        except (ValueError, RecursionError):
            raise NotJson(f"the body is not JSON ({strict_error}): send {example}, or {alternative}") from None


def _may_have_many_delimiters(body: bytes) -> bool:
    """Finding a byte is fifty times faster than counting it, and the usual body has only its first brace."""
    return b"," in body or b"[" in body or body.find(b"{", 1) > 0


def _has_more_delimiters(body: bytes, limit: int) -> bool:
    """Whether there are more than `limit` outside of strings. Counting all of them is fast, and usually enough."""
    if sum(map(body.count, DELIMITERS)) <= limit:
        return False
    strings = delimiters = 0
    for token in TOKEN.finditer(body):
        if body[token.start()] == QUOTE:
            strings += 1
        else:
            delimiters += 1
        if delimiters > limit or strings > 2 * limit + 1:  # JSON has at most two strings for each delimiter
            return True
    return False
