"""One log line for each step of a job, the same shape in every process.

    at=2026-11-22T10:49:45.123456Z process=proxy level=info event="job accepted" job=5b1c… model=mobilenet_v2 label="Persian cat"
    at=2026-11-22T10:49:45.131002Z process=backend level=info event="job finished" job=5b1c… model=inception_v3 label=tabby

An event has one meaning in all processes: `job accepted`, `job shed`, `job finished`, `job failed`, `job requeued`,
`late result refused`, `model unavailable`, `store unavailable`.
"""

import logging
import sys
from functools import cache
from typing import Final, Literal

import structlog
from structlog.typing import EventDict

Format = Literal["logfmt", "json"]
CONTROLS: Final = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160)) if code != ord("\n")}
"""What a terminal would obey, or take for the end of a line. Both renderers escape a line feed themselves."""


def configure(process: str, *, level: str = "INFO", fmt: Format = "logfmt") -> None:
    """Send every line to standard output, named after its process. Called once, by the process's own entry point."""

    def name_process(_: object, __: str, event: EventDict) -> EventDict:
        event["process"] = process
        return event

    structlog.configure(
        processors=[
            name_process,
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
            structlog.processors.format_exc_info,
            _disarm,
            _renderer(fmt),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stdout),
        cache_logger_on_first_use=True,
    )
    get_logger.cache_clear()
    logging.basicConfig(handlers=[_Library()], level=logging.WARNING, force=True)
    # It warns of what a client sent, which is the client's to know.
    logging.getLogger("python_multipart").setLevel(logging.ERROR)


@cache
def get_logger() -> structlog.typing.FilteringBoundLogger:
    """The logger of this process, made once."""
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger().bind()
    return logger


class _Library(logging.Handler):
    """What a library says through `logging` is a line like any other."""

    def emit(self, record: logging.LogRecord) -> None:
        level = min(record.levelno // 10 * 10, logging.CRITICAL)  # structlog knows no levels between
        get_logger().log(
            level, "library message", logger=record.name, error=record.getMessage(), exc_info=record.exc_info
        )


def _disarm(_: object, __: str, event: EventDict) -> EventDict:
    return {name: value.translate(CONTROLS) if isinstance(value, str) else value for name, value in event.items()}


def _renderer(fmt: Format) -> structlog.typing.Processor:
    if fmt == "json":
        return structlog.processors.JSONRenderer(ensure_ascii=False)
    return structlog.processors.LogfmtRenderer(
        key_order=["at", "process", "level", "event", "job"], drop_missing=True, bool_as_flag=False
    )
