"""`python -m proxy`: serve HTTP until SIGTERM."""

import asyncio
import os
import sys
import warnings
from contextlib import suppress

from fastapi import FastAPI

import service_log
from job_store import StoreUnavailable, UnsuitableRedis, check_redis, connect
from proxy.api_keys import ApiKeys, BadKeysFile
from proxy.app import create_app
from proxy.memory import warn_if_too_little
from proxy.server import serve
from proxy.settings import RENAMED, Settings
from service_settings.command_line import parse_arguments, similar_settings
from tf_serving_client import BadLabels, ModelContract


def configure_process() -> Settings:
    warnings.filterwarnings("ignore", module="PIL")  # Pillow warns about oddities in clients' images
    settings = Settings.from_environment("proxy")
    service_log.configure("proxy", level=settings.log_level, fmt=settings.log_format)
    return settings


def app_from_environment() -> FastAPI:
    return create_app(configure_process())


async def _check_redis(settings: Settings) -> None:
    async with connect(settings.redis_url, name="proxy", timeout=settings.redis_timeout) as redis:
        await check_redis(redis)


def _log_api_keys(keys: ApiKeys | None) -> None:
    if keys is None:
        service_log.get_logger().warning("api keys not required", reason="API_KEYS_FILE is not set")
    else:
        service_log.get_logger().info("api keys read", keys=len(keys))


def main() -> None:
    parse_arguments("python -m proxy", "The HTTP server. Answers with the fast model, and queues jobs.", Settings)
    settings = configure_process()
    for name, similar in similar_settings(Settings, os.environ):
        service_log.get_logger().warning("unknown setting", ignored=name, similar=similar)
    for old in RENAMED.keys() & os.environ.keys():
        service_log.get_logger().warning("setting renamed", ignored=old, use=RENAMED[old])
    try:
        for model in (settings.fast, settings.accurate):
            ModelContract.read(model)
        keys = ApiKeys(settings.api_keys_file) if settings.api_keys_file else None
        with suppress(StoreUnavailable):  # checked again when Redis responds: the fast answer does not need it
            asyncio.run(_check_redis(settings))
    except (BadKeysFile, BadLabels, UnsuitableRedis) as error:
        sys.exit(f"proxy: {error}")
    _log_api_keys(keys)
    warn_if_too_little(settings)
    serve(settings)


if __name__ == "__main__":
    main()
