"""Turns every error into an HTTP response with problem details (RFC 9457)."""

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final

from fastapi import FastAPI, Request, Response
from pydantic_core import to_json
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

import service_log
from job_store import StoreUnavailable
from proxy import errors
from tf_serving_client import (
    ContractBroken,
    InputRejected,
    ModelBusy,
    ModelMismatch,
    ModelTooSlow,
    ModelUnavailable,
    NonFiniteScores,
)

MEDIA_TYPE: Final = "application/problem+json"
NO_MEMBERS: Final[Mapping[str, str]] = {}


@dataclass(frozen=True, slots=True)
class Problem:
    status: HTTPStatus
    slug: str
    title: str
    retry_after_s: int | None = None
    closes_connection: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)


PROBLEMS: Final[dict[type[Exception], Problem]] = {
    errors.NotJson: Problem(HTTPStatus.BAD_REQUEST, "not-json", "The body is not JSON"),
    errors.NotBase64: Problem(HTTPStatus.BAD_REQUEST, "not-base64", "image_data is not base64"),
    errors.NotText: Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "not-text", "The text is not UTF-8"),
    errors.FieldMissing: Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "no-image", "The request contains no image"),
    errors.TooSlow: Problem(
        HTTPStatus.REQUEST_TIMEOUT, "slow-body", "The body did not arrive in time", closes_connection=True
    ),
    errors.TooLarge: Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too-large", "The image is too large"),
    errors.UnsupportedImage: Problem(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported-image", "The image type is not supported"
    ),
    errors.Undecodable: Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "undecodable", "The image can't be decoded"),
    errors.Overloaded: Problem(HTTPStatus.SERVICE_UNAVAILABLE, "overloaded", "Too many concurrent requests", 1),
    errors.NotAuthenticated: Problem(
        HTTPStatus.UNAUTHORIZED,
        "unauthenticated",
        "A valid API key is required",
        closes_connection=True,
        headers={"WWW-Authenticate": "Bearer"},
    ),
    errors.Forbidden: Problem(HTTPStatus.FORBIDDEN, "forbidden", "The API key does not allow this"),
    errors.RateExceeded: Problem(HTTPStatus.TOO_MANY_REQUESTS, "rate-exceeded", "Too many requests", 1),
    InputRejected: Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "undecodable", "The image can't be decoded"),
    ModelTooSlow: Problem(HTTPStatus.GATEWAY_TIMEOUT, "too-slow", "The fast model did not respond in time"),
    ModelBusy: Problem(HTTPStatus.SERVICE_UNAVAILABLE, "model-busy", "The fast model is busy", 1),
    ModelUnavailable: Problem(HTTPStatus.SERVICE_UNAVAILABLE, "model-unavailable", "The fast model is unavailable", 2),
    ModelMismatch: Problem(
        HTTPStatus.SERVICE_UNAVAILABLE, "model-mismatch", "The fast model does not fit this service", 10
    ),
    ContractBroken: Problem(
        HTTPStatus.SERVICE_UNAVAILABLE, "model-broken", "The fast model does not follow the model contract", 10
    ),
    NonFiniteScores: Problem(
        HTTPStatus.SERVICE_UNAVAILABLE, "model-broken", "The fast model does not follow the model contract", 10
    ),
    StoreUnavailable: Problem(HTTPStatus.SERVICE_UNAVAILABLE, "store-unavailable", "The job store is unavailable", 2),
}


def problems_of(input_: str) -> Mapping[type[Exception], Problem]:
    """Return the problems in terms of what clients submit: `image`, `text` or `bytes`."""
    if input_ == "image":
        return PROBLEMS
    noun = NOUNS[input_]
    rejected = Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "undecodable", f"The model can't read the {noun}")
    return {
        **PROBLEMS,
        errors.NotBase64: Problem(HTTPStatus.BAD_REQUEST, "not-base64", f"{noun} is not base64"),
        errors.FieldMissing: Problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"no-{noun}", f"The request contains no {noun}"),
        errors.TooLarge: Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too-large", f"The {noun} is too large"),
        InputRejected: rejected,
    }


NOUNS: Final[Mapping[str, str]] = {"image": "image", "text": "text", "bytes": "data"}
NOT_READY: Final = Problem(HTTPStatus.SERVICE_UNAVAILABLE, "not-ready", "The fast model can't be used", 1)

DETAILS: Final[dict[type[Exception], str]] = {
    InputRejected: "the model can't decode the image: it is broken or cut off; send the whole file, or save it again",
    ModelTooSlow: "the fast model did not respond in time: try again",
    ModelBusy: "the fast model has no free capacity: try again in a moment",
    ModelUnavailable: "the fast model can't be reached: try again in a moment",
    ContractBroken: "the fast model does not do what this service expects of it: report this to its operator",
    StoreUnavailable: "the job store did not respond: request the job again later; no accepted job is lost",
}
"""Replaces the text of errors that are written for the log and not for clients: it may name internal addresses."""

WHERE_TO_LOOK: Final = {
    HTTPStatus.NOT_FOUND: "this path does not exist: /docs lists those that do",
    HTTPStatus.METHOD_NOT_ALLOWED: "this path does not accept this method: the header Allow has those that it accepts",
}
"""For errors of the router."""

PYTHON_OBJECT: Final = re.compile(r" ?<[\w. ]+ at 0x[0-9a-f]+>")
"""Pillow shows the file object in which it found no image."""


def register(app: FastAPI, input_: str = "image") -> None:
    """`input_` is what clients submit: `image`, `text` or `bytes`."""
    app.state.problems, app.state.input_noun = problems_of(input_), NOUNS[input_]
    for error_type in PROBLEMS:
        app.add_exception_handler(error_type, _respond)
    app.add_exception_handler(HTTPException, _respond_to_http_exception)
    app.add_exception_handler(ClientDisconnect, _log_client_disconnect)
    app.add_middleware(UnexpectedErrors)


class UnexpectedErrors:
    """Responds to errors that have no handler.

    Starlette's own handler for them runs outside of `RequestId`, and raises the error again.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response_started = False

        async def tracked_send(message: Message) -> None:
            nonlocal response_started
            response_started = True
            await send(message)

        try:
            await self._app(scope, receive, tracked_send)
        except Exception as error:
            if scope["type"] != "http":
                raise
            response = _respond_to_unexpected(Request(scope), error)
            if response_started:  # the server closes the connection, so that the client sees an incomplete response
                raise
            await response(scope, receive, send)


async def _respond(request: Request, error: Exception) -> Response:
    problem = request.app.state.problems[type(error)]
    _log(request, problem, error)
    response = problem_response(request, problem, _detail(error, request.app.state.input_noun))
    response.headers.update(getattr(error, "headers", {}))
    return response


def _detail(error: Exception, noun: str) -> str:
    if isinstance(error, ModelMismatch):
        return f"the fast model does not fit this service, and the operator must correct it: {error.cause}"
    if isinstance(error, InputRejected) and noun != "image":
        return f"the model can't read the {noun}: it is not what the model expects"
    return DETAILS.get(type(error)) or PYTHON_OBJECT.sub("", str(error))


async def _respond_to_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 (FastAPI calls a handler with the type it is registered for)
    status = HTTPStatus(error.status_code)
    slug = status.phrase.lower().replace(" ", "-")
    problem = Problem(status, slug, status.phrase)
    _log(request, problem, error.detail)
    detail = WHERE_TO_LOOK.get(status, status.phrase) if error.detail == status.phrase else str(error.detail)
    response = problem_response(request, problem, detail)
    response.headers.update(error.headers or {})
    return response


async def _log_client_disconnect(request: Request, error: Exception) -> Response:
    """The client disconnected while sending its body. Only the log shows the status, which is nginx's for this case."""
    service_log.get_logger().info("request refused", path=request.url.path, status=499, problem="client-left")
    return Response(status_code=499)


def _respond_to_unexpected(request: Request, error: Exception) -> Response:
    problem = Problem(HTTPStatus.INTERNAL_SERVER_ERROR, "unforeseen", "Internal error")
    service_log.get_logger().error(
        "request failed", path=request.url.path, status=500, problem=problem.slug, exc_info=error
    )
    return problem_response(
        request, problem, "the service has a bug: report it with this trace_id, which the service's log contains"
    )


def _log(request: Request, problem: Problem, error: object) -> None:
    """Only failures of the service are warnings, not errors of clients."""
    level = logging.WARNING if problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR else logging.INFO
    status = problem.status.value
    service_log.get_logger().log(
        level, "request refused", path=request.url.path, status=status, problem=problem.slug, error=str(error)
    )


def problem_body(
    problem: Problem, detail: str, *, instance: str, trace_id: str, members: Mapping[str, str] = NO_MEMBERS
) -> bytes:
    """`members` are the problem type's own (RFC 9457, 3.2)."""
    return to_json(
        {
            "type": f"urn:sync-async:problem:{problem.slug}",
            "title": problem.title,
            "status": problem.status.value,
            "detail": detail,
            "instance": instance,
            "trace_id": trace_id,
            **members,
        }
    )


def problem_response(
    request: Request, problem: Problem, detail: str, members: Mapping[str, str] = NO_MEMBERS
) -> Response:
    trace_id = request.state.request_id
    body = problem_body(problem, detail, instance=request.url.path, trace_id=trace_id, members=members)
    headers = dict(problem.headers)
    if problem.retry_after_s is not None:
        headers["Retry-After"] = str(problem.retry_after_s)
    if problem.closes_connection:  # RFC 9110, 15.5.9: the rest of the body must not be parsed as a request
        headers["Connection"] = "close"
    return Response(body, problem.status, headers, media_type=MEDIA_TYPE)
