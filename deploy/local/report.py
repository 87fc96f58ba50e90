"""What `make run` says: text for people or, with LOG_FORMAT=json, lines of the log."""

import sys

import service_log
from deploy.local.settings import LocalSettings

PROCESS = "make run"


def configure(settings: LocalSettings) -> None:
    service_log.configure(PROCESS, fmt=settings.log_format)


def report(settings: LocalSettings, text: str, event: str, **fields: object) -> None:
    if settings.log_format == "json":
        service_log.get_logger().info(event, **fields)
    else:
        print(text, flush=True)


def warn(settings: LocalSettings, text: str, event: str, **fields: object) -> None:
    if settings.log_format == "json":
        service_log.get_logger().warning(event, **fields)
    else:
        print(text, file=sys.stderr, flush=True)
