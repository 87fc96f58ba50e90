"""`python -m proxy`: serve HTTP until SIGTERM."""

import os
import sys
import warnings

from fastapi import FastAPI

import service_log
from proxy.app import create_app
from proxy.memory import warn_if_too_little
from proxy.server import serve
from proxy.settings import RENAMED, Settings
from tf_serving_client import BadLabels, read_labels


def configure_process() -> Settings:
    warnings.filterwarnings("ignore", module="PIL")  # Pillow warns about oddities in clients' images
    settings = Settings.from_environment("proxy")
    service_log.configure("proxy", level=settings.log_level, fmt=settings.log_format)
    return settings


def app_from_environment() -> FastAPI:
    return create_app(configure_process())


def main() -> None:
    settings = configure_process()
    for old in RENAMED.keys() & os.environ.keys():
        service_log.get_logger().warning("setting renamed", ignored=old, use=RENAMED[old])
    try:
        read_labels(settings.labels)
    except BadLabels as error:
        sys.exit(f"proxy: {error}")
    warn_if_too_little(settings)
    serve(settings)


if __name__ == "__main__":
    main()
