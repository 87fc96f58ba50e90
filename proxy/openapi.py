"""What the OpenAPI document says of bodies and answers beyond what FastAPI sees in an endpoint's signature."""

from collections import defaultdict
from typing import Any, Final

from job_store import StoreUnavailable
from proxy import errors
from proxy.problems import MEDIA_TYPE, PROBLEMS, Problem
from tf_serving_client import ContractBroken, ImageRejected, ModelBusy, ModelTooSlow, ModelUnavailable

Described = dict[int | str, dict[str, Any]]
"""By status, as FastAPI's `responses` takes it."""

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
                            "description": "A JPEG, PNG or WebP in base64, with or without white space.",
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

ANSWER: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["job_id"],
    "properties": {
        "job_id": {
            "type": ["string", "null"],
            "description": "Null when the slow half can't take the job; the header `Refinement` says why.",
        }
    },
    "additionalProperties": {"type": "string", "description": "The fast model's label, under the model's name."},
}
JOB: Final[dict[str, Any]] = {
    "type": "object",
    "description": "Under the job's id.",
    "additionalProperties": {
        "type": "object",
        "required": ["prediction"],
        "properties": {
            "prediction": {
                "type": ["string", "null"],
                "description": "Empty while there is none, and where the job failed; null for a job that is not known.",
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
        "detail": {"type": "string", "description": "What was wrong, and what to do."},
        "instance": {"type": "string"},
        "trace_id": {"type": "string", "description": "The request's id, as in `X-Request-ID` and the log."},
    },
}
OF_THE_BODY: Final = tuple(errors.BadRequest.__subclasses__())
OF_THE_MODEL: Final = (errors.Overloaded, ImageRejected, ModelTooSlow, ModelBusy, ModelUnavailable, ContractBroken)


def predicting(*more: type[Exception]) -> Described:
    """The answers of an endpoint that asks the fast model."""
    return responses(ANSWER, *more, *OF_THE_MODEL)


def finding() -> Described:
    return responses(JOB, StoreUnavailable)


def responses(schema: dict[str, Any], *failures: type[Exception]) -> Described:
    """`schema` is of the answer when all goes well."""
    described: Described = {200: {"content": {"application/json": {"schema": schema}}}}
    by_status: defaultdict[int, list[Problem]] = defaultdict(list)
    for failure in failures:
        by_status[PROBLEMS[failure].status.value].append(PROBLEMS[failure])
    for status, problems in sorted(by_status.items()):
        titles = "; ".join(dict.fromkeys(f"{problem.title} (`{problem.slug}`)" for problem in problems))
        described[status] = {"description": titles, "content": {MEDIA_TYPE: {"schema": PROBLEM}}}
        if any(problem.retry_after_s is not None for problem in problems):
            described[status]["headers"] = {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds."}}
    return described
