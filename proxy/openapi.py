"""The parts of the OpenAPI document that FastAPI can't derive from an endpoint's signature: bodies and responses."""

from collections import defaultdict
from typing import Any, Final

from fastapi import FastAPI

from job_store import StoreUnavailable
from proxy import errors
from proxy.problems import MEDIA_TYPE, NOT_READY, PROBLEMS, Problem, problems_of
from tf_serving_client import ContractBroken, InputRejected, ModelBusy, ModelMismatch, ModelTooSlow, ModelUnavailable

Responses = dict[int | str, dict[str, Any]]
"""By status, as FastAPI's `responses` parameter expects them."""


def _string_member(key: str, description: str) -> dict[str, Any]:
    member = {"type": "string", "minLength": 1, "description": description}
    return {"schema": {"type": "object", "required": [key], "properties": {key: member}}}


def _body(content: dict[str, Any]) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": content}}


BINARY: Final[dict[str, Any]] = {"type": "string", "format": "binary", "minLength": 1}
BODIES: Final[dict[str, dict[str, Any]]] = {
    "image": _body(
        {
            "application/json": _string_member(
                "image_data", "An image in base64: a JPEG, PNG, WebP, GIF or BMP. White space is ignored."
            ),
            "image/*": {"schema": BINARY},
            "application/octet-stream": {"schema": BINARY},
            "multipart/form-data": {
                "schema": {"type": "object", "required": ["image"], "properties": {"image": BINARY}}
            },
        }
    ),
    "text": _body(
        {
            "application/json": _string_member("text", "The text."),
            "text/plain": {"schema": {"type": "string", "minLength": 1, "description": "The text in UTF-8."}},
        }
    ),
    "bytes": _body(
        {
            "application/json": _string_member("data", "The data in base64. White space is ignored."),
            "application/octet-stream": {"schema": BINARY},
        }
    ),
}
"""By the setting `INPUT`."""

PREDICTION: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["job_id"],
    "properties": {
        "job_id": {
            "type": ["string", "null"],
            "description": "Null if the job could not be queued; the header `Refinement` gives the reason.",
        }
    },
    "additionalProperties": {"type": "string", "description": "The fast model's label. The key is the model's name."},
}
JOB: Final[dict[str, Any]] = {
    "type": "object",
    "description": "The key is the job id.",
    "additionalProperties": {
        "type": "object",
        "required": ["prediction"],
        "properties": {
            "prediction": {
                "type": ["string", "null"],
                "description": "Empty while the job is pending or if it failed; null for a job that is unknown, has "
                "expired, or belongs to another client's API key.",
            }
        },
    },
}
HEALTH: Final[dict[str, Any]] = {"type": "object", "additionalProperties": {"enum": ["ok", "ng"]}}
READINESS: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["fast_model", "accurate_model", "queue"],
    "properties": {name: {"enum": ["ok", "ng"]} for name in ("fast_model", "accurate_model", "queue")},
}
METADATA: Final[dict[str, Any]] = {"type": "object", "additionalProperties": {"type": "string"}}

PROBLEM: Final[dict[str, Any]] = {
    "type": "object",
    "description": "RFC 9457.",
    "required": ["type", "title", "status", "detail", "instance", "trace_id"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What is wrong, and what to do about it."},
        "instance": {"type": "string"},
        "trace_id": {"type": "string", "description": "The request id, as in `X-Request-ID` and the log."},
    },
}
CLIENT_ERRORS: Final = (errors.NotAuthenticated, errors.RateExceeded)
COMMON_ERRORS: Final = (errors.NotJson, errors.FieldMissing, errors.TooSlow, errors.TooLarge)
BODY_ERRORS: Final[dict[str, tuple[type[Exception], ...]]] = {
    "image": (*COMMON_ERRORS, errors.NotBase64, errors.UnsupportedImage, errors.Undecodable),
    "text": (*COMMON_ERRORS, errors.NotText),
    "bytes": (*COMMON_ERRORS, errors.NotBase64),
}
MODEL_ERRORS: Final = (
    *(errors.Overloaded, InputRejected, ModelTooSlow, ModelBusy, ModelUnavailable, ModelMismatch, ContractBroken),
)

API_KEY: Final[dict[str, Any]] = {"type": "http", "scheme": "bearer", "description": "An API key."}


def require_api_keys(app: FastAPI) -> None:
    """Document that the operations with a 401 response need an API key."""
    original = app.openapi

    def document() -> dict[str, Any]:
        described = original()
        described.setdefault("components", {}).setdefault("securitySchemes", {})["apiKey"] = API_KEY
        for path in described["paths"].values():
            for operation in path.values():
                if "401" in operation["responses"]:
                    operation["security"] = [{"apiKey": []}]
        return described

    app.openapi = document  # type: ignore[method-assign] # as FastAPI's documentation does


def prediction_responses(input_: str, *more: type[Exception]) -> Responses:
    """The responses of an endpoint that calls the fast model."""
    problems = problems_of(input_)
    return _responses(PREDICTION, *(problems[failure] for failure in (*CLIENT_ERRORS, *more, *MODEL_ERRORS)))


def metadata_responses() -> Responses:
    return responses(METADATA, ModelTooSlow, ModelBusy, ModelUnavailable, ModelMismatch)


def job_responses() -> Responses:
    return responses(JOB, *CLIENT_ERRORS, StoreUnavailable)


def readiness_responses() -> Responses:
    documented = _responses(READINESS, NOT_READY)
    documented[503]["content"][MEDIA_TYPE]["schema"] = {"allOf": [PROBLEM, READINESS]}
    return documented


def responses(schema: dict[str, Any], *failures: type[Exception]) -> Responses:
    """`schema` describes the body of the 200 response."""
    return _responses(schema, *(PROBLEMS[failure] for failure in failures))


def _responses(schema: dict[str, Any], *failures: Problem) -> Responses:
    by_status: defaultdict[int, list[Problem]] = defaultdict(list)
    for problem in failures:
        by_status[problem.status.value].append(problem)
    documented: Responses = {200: {"content": {"application/json": {"schema": schema}}}}
    for status, problems in sorted(by_status.items()):
        titles = "; ".join(dict.fromkeys(f"{problem.title} (`{problem.slug}`)" for problem in problems))
        documented[status] = {"description": titles, "content": {MEDIA_TYPE: {"schema": PROBLEM}}}
        if any(problem.retry_after_s is not None for problem in problems):
            documented[status]["headers"] = {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds."}}
    return documented
