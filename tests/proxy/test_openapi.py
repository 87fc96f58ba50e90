"""The service is asked whatever its OpenAPI document allows, and much that it does not; it answers as that says."""

import os
from typing import Any, Final

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import Case, GenerationMode
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import positive_data_acceptance

from harness.stack import Stack

EXAMPLES: Final = int(os.environ.get("OPENAPI_EXAMPLES", "30"))
"""Of each operation."""
OPERATIONS: Final = (
    *("GET /health", "GET /health/all", "GET /metadata", "GET /predict/test", "POST /predict", "GET /job/{job_id}"),
)


@pytest.fixture(scope="session")
def document(stack: Stack) -> schemathesis.BaseSchema:
    return schemathesis.openapi.from_url(f"{stack.url}/openapi.json")


def test_the_document_has_each_endpoint(document: schemathesis.BaseSchema) -> None:
    found = [each for each in document.get_all_operations() if isinstance(each, Ok)]
    assert {each.ok().label for each in found} == set(OPERATIONS)


@pytest.mark.parametrize("label", OPERATIONS)
@pytest.mark.timeout(120)
def test_a_valid_request_gets_an_answer_that_the_document_has(label: str, document: schemathesis.BaseSchema) -> None:
    """It may still be a refusal: that a string is a JPEG in base64 no schema can say."""
    ask(document, label, GenerationMode.POSITIVE)


@pytest.mark.timeout(120)
def test_an_invalid_body_gets_a_refusal_that_the_document_has(document: schemathesis.BaseSchema) -> None:
    """Of the other endpoints nothing is asked that could be invalid."""
    ask(document, "POST /predict", GenerationMode.NEGATIVE)


def ask(document: schemathesis.BaseSchema, label: str, mode: GenerationMode) -> None:
    method, path = label.split()

    @settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
    @given(case=document[path][method].as_strategy(generation_mode=mode))
    def ask_once(case: Case[Any]) -> None:
        case.call_and_validate(excluded_checks=[positive_data_acceptance])

    ask_once()
