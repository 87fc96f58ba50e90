"""`python -m backend`: run the worker until SIGTERM or SIGINT."""

import asyncio
import os
import signal
import sys
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Final

import uvloop

import service_log
from backend.batch import BatchContext
from backend.health import health_server
from backend.heartbeat import HEARTBEATS_PER_LEASE
from backend.retrier import Retrier
from backend.settings import Settings
from backend.worker import Worker
from background_task import background_task
from job_store import BacklogListener, JobStore, Policy, UnsuitableRedis, check_redis, connect
from service_settings.command_line import parse_arguments, similar_settings
from tf_serving_client import BadLabels, ModelContract, ServedClassifier, open_channel

STATUS_DEADLINE: Final = timedelta(seconds=5)
"""While the status call fails, the worker sends no Predicts. An overloaded or distant model server, which still answers
Predicts, gets this long to answer the status call."""


async def run_worker(settings: Settings, contract: ModelContract) -> None:
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    async with AsyncExitStack() as stack:
        channel = await stack.enter_async_context(open_channel(contract.address))
        redis = await stack.enter_async_context(
            connect(settings.redis_url, name="backend", timeout=settings.redis_timeout)
        )
        store = JobStore(redis, _policy(settings))
        listener = BacklogListener.connect(
            settings.redis_url,
            name="backend-listener",
            keys=store.keys,
            block_for=settings.lease / HEARTBEATS_PER_LEASE,
            margin=settings.redis_timeout,
        )
        await stack.enter_async_context(listener.redis)
        model = ServedClassifier(channel, contract, settings.read_test_input(), settings.predict_deadline)
        retrier = Retrier(stopping)
        worker = Worker(
            BatchContext(store, model, model.status, retrier, model.check),
            listener,
            batch_size=settings.batch_size,
            batch_bytes=settings.batch_bytes,
            concurrency=settings.batches_in_flight,
        )
        await stack.enter_async_context(background_task(model.check.watch()))
        await stack.enter_async_context(health_server(settings.health_socket, store.is_writable))
        await retrier.retry(check_redis, redis)
        await retrier.wait_or_stop(model.check.wait_until_fits())
        if not stopping.is_set():
            service_log.get_logger().info("worker started", model=settings.accurate_model, batch=settings.batch_size)
            await worker.run(stopping, settings.shutdown_grace)


def _policy(settings: Settings) -> Policy:
    return Policy(
        max_backlog=settings.max_queue_length,
        job_ttl=settings.job_ttl,
        pending_ttl=settings.pending_ttl,
        lease=settings.lease,
        max_attempts=settings.max_attempts,
        claim_validity=settings.redis_timeout / 2,
    )


def main() -> None:
    parse_arguments("python -m backend", "The worker. Claims jobs and runs the accurate model on them.", Settings)
    settings = Settings.from_environment("backend")
    service_log.configure("backend", level=settings.log_level, fmt=settings.log_format)
    for name, similar in similar_settings(Settings, os.environ):
        service_log.get_logger().warning("unknown setting", ignored=name, similar=similar)
    try:
        contract = ModelContract.read(settings.accurate)
    except BadLabels as error:
        sys.exit(f"backend: {error}")
    try:
        uvloop.run(run_worker(settings, contract))
    except UnsuitableRedis as error:
        sys.exit(f"backend: {error}")


if __name__ == "__main__":
    main()
