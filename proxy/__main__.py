"""`python -m proxy`: serve HTTP until SIGTERM."""

import sys
import warnings

import uvicorn
from fastapi import FastAPI

import service_log
from proxy.app import create_app
from proxy.settings import Settings
from tf_serving_client import BadLabels, read_labels


def settings_of_this_process() -> Settings:
    warnings.filterwarnings("ignore", module="PIL")  # of each oddity in a client's image
    settings = Settings.from_environment("proxy")
    service_log.configure("proxy", level=settings.log_level, fmt=settings.log_format)
    return settings


def app_of_this_process() -> FastAPI:
    return create_app(settings_of_this_process())


def main() -> None:
    settings = settings_of_this_process()
    try:
        read_labels(settings.labels)
    except BadLabels as error:
        sys.exit(f"proxy: {error}")
    uvicorn.run(
        "proxy.__main__:app_of_this_process",
        factory=True,
        host=settings.host,
        port=settings.port,
        workers=settings.workers,
        loop="uvloop",
        http="httptools",
        log_config=None,  # service_log's
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=10,
    )


if __name__ == "__main__":
    main()
