"""One log format for all processes. A job can be followed from the proxy to the worker by its id.

    at=2026-11-22T10:49:45.123456Z process=proxy level=info event="job accepted" job=5b1c… label="Persian cat"
    at=2026-11-22T10:49:45.131002Z process=backend level=info event="job finished" job=5b1c… label=tabby

The proxy's events:

    job accepted            the fast model answered, and the job is in the queue; with API keys or limits, `client` is
                            the client that this and later lines of the request belong to
    job shed                the fast model answered, but the job could not be queued; `reason` gives the cause
    request refused         the response is an error that has a problem type
    request failed          the response is a 500: the proxy has a bug
    connection limit reached  further connections get a 503
    memory limit low        the container may run out of memory before the limits in the settings are reached
    server process ended    one of `WORKERS` processes ended unexpectedly, and is started again
    server process not started  one that replaces another could not start: its cause is logged before; it is tried again
    api keys not required   every client is served
    api keys read           `keys` API keys are valid from now on
    api keys invalid        `API_KEYS_FILE` was changed to something that is not valid; the old `keys` stay valid
    queue unavailable       Redis did not accept a job; the circuit breaker opens for `cooldown_s`
    setting renamed         an environment variable has an old name, and is ignored

The worker's events:

    worker started          the worker claims jobs from now on
    claim expired           the claim reached Redis too late, so it claimed nothing; the network is too slow
    worker stopping         SIGTERM arrived; claimed jobs have `grace_s` to finish
    job finished            the accurate model's result is recorded
    job failed              the accurate model rejects the payload; the job is a dead letter
    job requeued            the job is in the queue again; `counts` shows whether the attempt counts
    requeue failed          Redis was unavailable; the jobs' leases expire instead
    late result refused     the job has ended or belongs to a newer attempt; nothing was recorded
    lease lost              a heartbeat found that the job has ended or belongs to a newer attempt
    predict failed          the accurate model is busy or breaks the model contract; the batch is retried
    store unavailable       a call to Redis failed and is retried
    batch failed            the worker has a bug; the batch's unfinished jobs are requeued

The events of `make run`, which prints them as text unless LOG_FORMAT is `json`:

    redis found             `path` is the redis-server that is used
    export output           a line that the export of a model printed
    services starting       `commands` has the command of each service
    service ready           the service responds at `url`
    service stopped         all services have stopped; the jobs are in `jobs`

Events of several processes:

    eviction possible       Redis may delete jobs when its memory is full, or does not say that it will not
    redis unsuitable        Redis can lose accepted jobs as it is set up: no job is accepted
    labels missing          a model has no labels: the index of a class is its label
    model check failed      the check of a model has a bug; it is repeated
    model served            the served `version` of a model fits the contract and the settings
    model mismatch          a model does not fit them: the proxy answers 503, and the worker claims nothing
    model unavailable       a model cannot be reached; the worker's batches wait for it
    scores not probabilities  a model's scores look like logits, and the settings do not say so
    version not loaded      the model server cannot load a version; it may serve an older one
    weights untrained       the served model was exported without trained weights: its labels mean nothing
    unknown setting         an environment variable has almost the name of a setting, and is ignored
    library message         a library logged a warning or an error through `logging`
"""

import logging
import os
import socket
import sys
from functools import cache
from typing import Final, Literal

import structlog
from structlog.typing import EventDict

Format = Literal["logfmt", "json"]
CONTROLS: Final = (*range(32), *range(127, 160))
"""Characters that control a terminal."""
SEPARATORS: Final = (0x2028, 0x2029)
"""Some viewers start a new line at these."""
BIDI_CONTROLS: Final = (0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
"""They make a line read differently from what it contains (CVE-2021-42574)."""
ESCAPES: Final = {
    **{code: f"\\x{code:02x}" for code in CONTROLS if code != ord("\n")},  # both renderers escape line feeds themselves
    **{code: f"\\u{code:04x}" for code in (*SEPARATORS, *BIDI_CONTROLS)},
}


def configure(process: str, *, level: str = "INFO", fmt: Format = "logfmt") -> None:
    """Log to standard output, with the name of the process in each line. The entry point calls this once."""

    origin: dict[str, str | int] = {"process": process}
    if fmt == "json":  # for logs of several machines in one place
        origin |= {"host": socket.gethostname(), "pid": os.getpid()}

    def name_process(_: object, __: str, event: EventDict) -> EventDict:
        event.update(origin)
        return event

    structlog.configure(
        processors=[
            name_process,
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
            structlog.processors.format_exc_info,
            _escape_control_characters,
            _renderer(fmt),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.WriteLoggerFactory(
            sys.stdout
        ),  # one write a line: lines of several processes do not mix
        cache_logger_on_first_use=True,
    )
    get_logger.cache_clear()
    logging.basicConfig(handlers=[_LibraryHandler()], level=logging.WARNING, force=True)


@cache
def get_logger() -> structlog.typing.FilteringBoundLogger:
    """Return the logger of this process. Cached: binding it takes a fifth of the time of logging a line."""
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger().bind()
    return logger


class _LibraryHandler(logging.Handler):
    """Logs what libraries log through `logging` in the same format."""

    def emit(self, record: logging.LogRecord) -> None:
        level = min(record.levelno // 10 * 10, logging.CRITICAL)  # structlog has only these levels
        get_logger().log(
            level, "library message", logger=record.name, error=record.getMessage(), exc_info=record.exc_info
        )


def _escape_control_characters(_: object, __: str, event: EventDict) -> EventDict:
    return {name: value.translate(ESCAPES) if isinstance(value, str) else value for name, value in event.items()}


def _renderer(fmt: Format) -> structlog.typing.Processor:
    if fmt == "json":
        return structlog.processors.JSONRenderer(ensure_ascii=False)
    return structlog.processors.LogfmtRenderer(
        key_order=["at", "process", "level", "event", "job"], drop_missing=True, bool_as_flag=False
    )
