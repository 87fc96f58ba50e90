"""Responses to requests that are refused before they reach the application."""

import secrets
from http import HTTPStatus
from typing import Final

from proxy.problems import MEDIA_TYPE, Problem, problem_body

REFUSALS: Final[dict[HTTPStatus, tuple[Problem, str]]] = {
    problem.status: (problem, detail)
    for problem, detail in (
        (
            Problem(HTTPStatus.BAD_REQUEST, "not-http", "The request is not valid HTTP"),
            "the bytes received are not an HTTP/1.1 request: check the client, or what is between it and this service",
        ),
        (
            Problem(HTTPStatus.REQUEST_TIMEOUT, "slow-head", "The request's head did not arrive in time"),
            "the request line and headers took too long to arrive: send them at once",
        ),
        (
            Problem(HTTPStatus.REQUEST_URI_TOO_LONG, "long-url", "The URL is too long"),
            "the URL is longer than this service accepts: send data in the body instead",
        ),
        (
            Problem(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "large-head", "The request's headers are too large"),
            "the request has more headers, or larger ones, than this service accepts: send fewer or smaller headers",
        ),
        (
            Problem(HTTPStatus.SERVICE_UNAVAILABLE, "too-many-connections", "Too many connections are open", 1),
            "too many connections are open: try again in a moment, and reuse connections",
        ),
    )
}


def refusal(status: HTTPStatus) -> bytes:
    """Return a whole HTTP response with problem details, after which the connection closes."""
    problem, detail = REFUSALS[status]
    body = problem_body(problem, detail, instance="", trace_id=secrets.token_hex(8))
    headers = {"content-type": MEDIA_TYPE, "content-length": len(body), "connection": "close"}
    if problem.retry_after_s is not None:
        headers["retry-after"] = problem.retry_after_s
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status.value} {status.phrase}\r\n{lines}\r\n".encode() + body
