"""Generated requests, valid and invalid by the OpenAPI document, get responses that the document describes."""

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
"""Generated requests for each operation."""
OPERATIONS: Final = (
    *(
        "GET /health",
        "GET /health/all",
        "GET /livez",
        "GET /readyz",
        "GET /metadata",
        "GET /predict/test",
        "POST /predict",
        "GET /job/{job_id}",
    ),
)


@pytest.fixture(scope="session")
def document(stack: Stack) -> schemathesis.BaseSchema:
    return schemathesis.openapi.from_url(f"{stack.url}/openapi.json")


def test_the_document_describes_each_endpoint(document: schemathesis.BaseSchema) -> None:
    operations = [each for each in document.get_all_operations() if isinstance(each, Ok)]
    assert {each.ok().label for each in operations} == set(OPERATIONS)


@pytest.mark.parametrize("label", OPERATIONS)
@pytest.mark.timeout(120)
def test_a_valid_request_gets_a_documented_response(label: str, document: schemathesis.BaseSchema) -> None:
    """It may be a refusal, because a schema can't require that a string is a JPEG in base64."""
    call(document, label, GenerationMode.POSITIVE)


@pytest.mark.timeout(120)
def test_an_invalid_body_gets_a_documented_refusal(document: schemathesis.BaseSchema) -> None:
    """The other endpoints have no body or parameter that could be invalid."""
    call(document, "POST /predict", GenerationMode.NEGATIVE)


def call(document: schemathesis.BaseSchema, label: str, mode: GenerationMode) -> None:
    method, path = label.split()

    @settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
    @given(case=document[path][method].as_strategy(generation_mode=mode))
    def call_once(case: Case[Any]) -> None:
        case.call_and_validate(excluded_checks=[positive_data_acceptance])

    call_once()
