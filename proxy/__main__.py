"""`python -m proxy`: serve HTTP until SIGTERM."""

import uvicorn
from fastapi import FastAPI

import hop_log
from proxy.app import create_app
from proxy.settings import Settings


def app_of_this_process() -> FastAPI:
    settings = Settings.from_environment("proxy")
    hop_log.configure("proxy", level=settings.log_level, fmt=settings.log_format)
    return create_app(settings)


def main() -> None:
    settings = Settings.from_environment("proxy")
    uvicorn.run(
        "proxy.__main__:app_of_this_process",
        factory=True,
        host=settings.host,
        port=settings.port,
        workers=settings.workers,
        loop="uvloop",
        http="httptools",
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=10,
    )


if __name__ == "__main__":
    main()
