"""The parts of the OpenAPI document that FastAPI can't derive from an endpoint's signature: bodies and responses."""

from collections import defaultdict
from typing import Any, Final

from fastapi import FastAPI

from job_store import StoreUnavailable
from proxy import errors
from proxy.problems import MEDIA_TYPE, PROBLEMS, Problem
from tf_serving_client import ContractBroken, ImageRejected, ModelBusy, ModelTooSlow, ModelUnavailable

Responses = dict[int | str, dict[str, Any]]
"""By status, as FastAPI's `responses` parameter expects them."""

IMAGE: Final[dict[str, Any]] = {"type": "string", "format": "binary", "minLength": 1}
IMAGE_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["image_data"],
                    "properties": {
                        "image_data": {
                            "type": "string",
                            "minLength": 1,
                            "description": "A JPEG, PNG or WebP in base64. White space is ignored.",
                        }
                    },
                }
            },
            "image/*": {"schema": IMAGE},
            "application/octet-stream": {"schema": IMAGE},
            "multipart/form-data": {
                "schema": {"type": "object", "required": ["image"], "properties": {"image": IMAGE}}
            },
        },
    }
}

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
BODY_ERRORS: Final = tuple(errors.BadRequest.__subclasses__())
MODEL_ERRORS: Final = (errors.Overloaded, ImageRejected, ModelTooSlow, ModelBusy, ModelUnavailable, ContractBroken)

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


def prediction_responses(*more: type[Exception]) -> Responses:
    """The responses of an endpoint that calls the fast model."""
    return responses(PREDICTION, *CLIENT_ERRORS, *more, *MODEL_ERRORS)


def job_responses() -> Responses:
    return responses(JOB, *CLIENT_ERRORS, StoreUnavailable)


def responses(schema: dict[str, Any], *failures: type[Exception]) -> Responses:
    """`schema` describes the body of the 200 response."""
    by_status: defaultdict[int, list[Problem]] = defaultdict(list)
    for failure in failures:
        by_status[PROBLEMS[failure].status.value].append(PROBLEMS[failure])
    documented: Responses = {200: {"content": {"application/json": {"schema": schema}}}}
    for status, problems in sorted(by_status.items()):
        titles = "; ".join(dict.fromkeys(f"{problem.title} (`{problem.slug}`)" for problem in problems))
        documented[status] = {"description": titles, "content": {MEDIA_TYPE: {"schema": PROBLEM}}}
        if any(problem.retry_after_s is not None for problem in problems):
            documented[status]["headers"] = {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds."}}
    return documented
