"""`INPUT=text`: texts are classified now and refined later, and refusals speak of texts."""

from typing import Any

import pytest

from service_settings import TEST_TEXT
from tests.inputs.service import Service

PLAIN = {"content-type": "text/plain; charset=utf-8"}


@pytest.mark.parametrize(
    "request_",
    [
        {"json": {"text": "Das ist good – 好"}},
        {"content": "Das ist good – 好".encode(), "headers": PLAIN},
        {"content": b'{"text": "Das ist good \\u2013 \\u597d"}'},
    ],
    ids=["JSON", "plain", "JSON with escapes"],
)
async def test_a_text_gets_a_fast_label_and_a_better_one_later(texts: Service, request_: dict[str, Any]) -> None:
    answer = (await texts.client.post("/predict", **request_)).json()
    assert answer["small"] == "2", "the fast model has no labels: the index is the label"
    assert await texts.result(answer["job_id"]) == "positive"
    for model in (texts.fast, texts.accurate):
        assert ["Das ist good – 好".encode()] in model.predicts


async def test_the_test_input_is_a_text(texts: Service) -> None:
    assert (await texts.client.get("/predict/test")).json()["small"] == "0"
    assert texts.fast.predicts[-1] == [TEST_TEXT]


@pytest.mark.parametrize(
    ("request_", "status", "slug", "detail"),
    [
        ({"content": b"not json"}, 400, "not-json", '{"text": "…"}'),
        ({"content": b"\xff\xfe", "headers": PLAIN}, 422, "not-text", "not UTF-8"),
        (
            {"content": b"\xe9t\xe9", "headers": {"content-type": "text/plain;charset=latin-1"}},
            422,
            "not-text",
            "UTF-8",
        ),
        ({"content": b'{"text": "\\ud83d"}'}, 422, "not-text", "surrogate"),
        ({"content": b"", "headers": PLAIN}, 422, "no-text", "empty"),
        ({"json": {"image_data": "AAAA"}}, 422, "no-text", '{"text": "…"}'),
        ({"json": {"text": 5}}, 422, "no-text", "not a string"),
        ({"json": {"text": "é" * 501}}, 413, "too-large", "1002 bytes, and the limit is 1000"),
        ({"content": b"x" * 100_000, "headers": PLAIN}, 413, "too-large", "bytes"),
        ({"content": b"unreadable", "headers": PLAIN}, 422, "undecodable", "the model can't read the text"),
    ],
)
async def test_a_refusal_speaks_of_texts(
    texts: Service, request_: dict[str, Any], status: int, slug: str, detail: str
) -> None:
    response = await texts.client.post("/predict", **request_)
    problem = response.json()
    assert (response.status_code, problem["type"]) == (status, f"urn:sync-async:problem:{slug}")
    assert detail in problem["detail"]
    assert "image" not in problem["detail"] + problem["title"]


async def test_the_metadata_and_the_document_describe_texts(texts: Service) -> None:
    metadata = (await texts.client.get("/metadata")).json()
    assert metadata["data_sample"] == "text in UTF-8"
    assert metadata["prediction_structure"] == metadata["accurate_prediction_structure"] == "(1,3)"
    assert metadata["prediction_sample"].startswith("[0.8")
    operation = (await texts.client.get("/openapi.json")).json()["paths"]["/predict"]["post"]
    assert operation["requestBody"]["content"].keys() == {"application/json", "text/plain"}
    assert "image" not in str(operation)


async def test_commas_and_brackets_in_a_text_are_no_reason_to_refuse_it(texts: Service) -> None:
    response = await texts.client.post("/predict", json={"text": "[good, " * 140})
    assert response.status_code == 200
