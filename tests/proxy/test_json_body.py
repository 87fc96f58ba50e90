"""How many commas and brackets a JSON body may have: a parser makes an object of each, unless it is in a string."""

import json

import pytest

from proxy.errors import NotJson
from proxy.inputs import MAX_TEXT_DELIMITERS, text_from_json

TOO_MANY = MAX_TEXT_DELIMITERS + 1
REFUSAL = f"more than {MAX_TEXT_DELIMITERS} commas and brackets"


@pytest.mark.parametrize("text", [",[{" * TOO_MANY, '",\\' * TOO_MANY, "\\" * 9 + "[" * TOO_MANY + "\\"])
def test_a_text_may_contain_any_number_of_commas_and_brackets(text: str) -> None:
    assert text_from_json(json.dumps({"text": text}).encode()) == text.encode()


@pytest.mark.parametrize(
    "body",
    [
        b"[" * TOO_MANY,
        b'{"text": "' + b"," * TOO_MANY + b'", "more": [' + b"[]," * TOO_MANY + b"[]]}",
        b'{"text": "a\\\\", "more": [' + b"[]," * TOO_MANY + b"[]]}",
        b'""' * 3 * TOO_MANY + b"," * TOO_MANY,
    ],
    ids=["nested", "beside a text that has as many", "after an escaped backslash", "many strings"],
)
def test_a_body_with_many_lists_is_not_parsed(body: bytes) -> None:
    with pytest.raises(NotJson, match=REFUSAL):
        text_from_json(body)
