"""One log line a hop, the same shape in every process.

    at=2026-11-22T10:49:45.123456Z process=proxy   hop="→ job" job=5b1c…  mobilenet_v2="Persian cat" ms=21.3
    at=2026-11-22T10:49:45.131002Z process=backend hop="← job" job=5b1c…  inception_v3="Siamese cat" ms=96.0

`→` a job goes in, `←` an answer comes out, `↻` it is tried again, `×` it is refused or lost its turn.
"""

import logging
import sys
from typing import Literal

import structlog

Format = Literal["logfmt", "json"]


def configure(process: str, *, level: str = "INFO", fmt: Format = "logfmt") -> None:
    """Send every line to standard output, named after its process. Called once, by the process's own entry point."""

    def name_process(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        event["process"] = process
        return event

    render: structlog.typing.Processor = structlog.processors.LogfmtRenderer(
        key_order=["at", "process", "level", "hop", "job"], drop_missing=True, bool_as_flag=False
    )
    if fmt == "json":
        render = structlog.processors.JSONRenderer(ensure_ascii=False)
    structlog.configure(
        processors=[
            name_process,
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
            structlog.processors.format_exc_info,
            structlog.processors.EventRenamer("hop"),
            render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stdout),
        cache_logger_on_first_use=True,
    )


def get() -> structlog.typing.FilteringBoundLogger:
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger()
    return logger
