"""The one table that turns what went wrong into an HTTP answer: problem details (RFC 9457)."""

import logging
from dataclasses import dataclass
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
from tf_serving_client import ContractBroken, ImageRejected, ModelBusy, ModelTooSlow, ModelUnavailable

MEDIA_TYPE: Final = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Problem:
    status: HTTPStatus
    slug: str
    title: str
    retry_after_s: int | None = None
    ends_connection: bool = False


PROBLEMS: Final[dict[type[Exception], Problem]] = {
    errors.NotJson: Problem(HTTPStatus.BAD_REQUEST, "not-json", "The body is not JSON"),
    errors.NotBase64: Problem(HTTPStatus.BAD_REQUEST, "not-base64", "image_data is not base64"),
    errors.FieldMissing: Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "no-image", "There is no image in the request"),
    errors.TooSlow: Problem(
        HTTPStatus.REQUEST_TIMEOUT, "slow-body", "The body did not come in time", ends_connection=True
    ),
    errors.TooLarge: Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too-large", "The image is too large"),
    errors.UnsupportedImage: Problem(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported-image", "Not an image type this service reads"
    ),
    errors.Undecodable: Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "undecodable", "The image can't be decoded"),
    errors.Overloaded: Problem(HTTPStatus.SERVICE_UNAVAILABLE, "overloaded", "Too many requests at once", 1),
    ImageRejected: Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "undecodable", "The image can't be decoded"),
    ModelTooSlow: Problem(HTTPStatus.GATEWAY_TIMEOUT, "too-slow", "The fast model did not answer in time"),
    ModelBusy: Problem(HTTPStatus.SERVICE_UNAVAILABLE, "model-busy", "The fast model has too much to do", 1),
    ModelUnavailable: Problem(HTTPStatus.SERVICE_UNAVAILABLE, "model-unavailable", "The fast model is away", 2),
    ContractBroken: Problem(HTTPStatus.SERVICE_UNAVAILABLE, "model-broken", "The fast model broke its contract", 10),
    StoreUnavailable: Problem(HTTPStatus.SERVICE_UNAVAILABLE, "store-unavailable", "The job store is away", 2),
}

DETAILS: Final[dict[type[Exception], str]] = {
    ImageRejected: "the model can't decode the image: it is broken or cut off; send a whole one",
    StoreUnavailable: "the job store did not answer; ask again for the job, it is not lost",
}
"""Said instead of the error's own text where that is written for the log and not for a client."""


def register(app: FastAPI) -> None:
    for error_type in PROBLEMS:
        app.add_exception_handler(error_type, _answer)
    app.add_exception_handler(HTTPException, _answer_http)
    app.add_exception_handler(ClientDisconnect, _answer_nobody)
    app.add_middleware(Unforeseen)


class Unforeseen:
    """Answers what no handler does: Starlette's own place for that is outside of `RequestId`, and raises again."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def send_and_note(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, send_and_note)
        except Exception as error:
            if scope["type"] != "http":
                raise
            response = _answer_unforeseen(Request(scope), error)
            if started:  # the server ends the connection: what was sent is not the whole answer
                raise
            await response(scope, receive, send)


async def _answer(request: Request, error: Exception) -> Response:
    problem = PROBLEMS[type(error)]
    _log(request, problem, error)
    return problem_response(request, problem, DETAILS.get(type(error), str(error)))


async def _answer_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 (FastAPI calls a handler with what it is registered for)
    status = HTTPStatus(error.status_code)
    slug = status.phrase.lower().replace(" ", "-")
    problem = Problem(status, slug, status.phrase)
    _log(request, problem, error.detail)
    response = problem_response(request, problem, str(error.detail))
    response.headers.update(error.headers or {})
    return response


async def _answer_nobody(request: Request, error: Exception) -> Response:
    """The client left in the middle of its own body. 499 is nginx's number for that, and only the log sees it."""
    service_log.get_logger().info("request refused", path=request.url.path, status=499, problem="client-left")
    return Response(status_code=499)


def _answer_unforeseen(request: Request, error: Exception) -> Response:
    problem = Problem(HTTPStatus.INTERNAL_SERVER_ERROR, "unforeseen", "Something went wrong here")
    service_log.get_logger().error(
        "request failed", path=request.url.path, status=500, problem=problem.slug, exc_info=error
    )
    return problem_response(request, problem, "this is a fault of the service; its log has the details")


def _log(request: Request, problem: Problem, error: object) -> None:
    """One line for each refusal. What is the client's own doing is no reason to warn."""
    level = logging.WARNING if problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR else logging.INFO
    status = problem.status.value
    service_log.get_logger().log(
        level, "request refused", path=request.url.path, status=status, problem=problem.slug, error=str(error)
    )


def problem_response(request: Request, problem: Problem, detail: str) -> Response:
    body = {
        "type": f"urn:sync-async:problem:{problem.slug}",
        "title": problem.title,
        "status": problem.status.value,
        "detail": detail,
        "instance": request.url.path,
        "trace_id": request.state.request_id,
    }
    headers = {"Retry-After": str(problem.retry_after_s)} if problem.retry_after_s is not None else {}
    if problem.ends_connection:  # RFC 9110, 15.5.9: what is still to come of the body must not be taken for a request
        headers["Connection"] = "close"
    return Response(to_json(body), problem.status, headers, media_type=MEDIA_TYPE)
