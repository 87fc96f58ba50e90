"""`python -m backend`: run the worker until SIGTERM or SIGINT."""

import asyncio
import signal
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Final

import uvloop

import service_log
from backend.batch import BatchContext
from backend.health import health_server
from backend.heartbeat import HEARTBEATS_PER_LEASE
from backend.model_check import ModelCheck
from backend.retrier import Retrier
from backend.settings import Settings
from backend.worker import Worker
from background_task import background_task
from job_store import BacklogListener, JobStore, Policy, UnsuitableRedis, check_redis, connect
from service_settings import ROOT
from tf_serving_client import BadLabels, ImageClassifier, ModelStatus, log_served_models, open_channel, read_labels

STATUS_DEADLINE: Final = timedelta(seconds=5)
"""While the status call fails, the worker sends no Predicts. An overloaded or distant model server, which still answers
Predicts, gets this long to answer the status call."""

GOOD_IMAGE: Final = ROOT / "data" / "cat.jpg"
"""Every model accepts it, so a model that rejects it is wrong."""


async def run_worker(settings: Settings, labels: Sequence[str]) -> None:
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    async with AsyncExitStack() as stack:
        channel = await stack.enter_async_context(open_channel(settings.accurate_model_address))
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
        model = ImageClassifier(channel, settings.accurate_model, labels, settings.predict_deadline)
        status = ModelStatus(channel, settings.accurate_model, deadline=STATUS_DEADLINE)
        retrier = Retrier(stopping)
        check = ModelCheck(status, model, retrier, GOOD_IMAGE.read_bytes())
        worker = Worker(
            BatchContext(store, model, status, retrier, check),
            listener,
            batch_size=settings.batch_size,
            batch_bytes=settings.batch_bytes,
            concurrency=settings.batches_in_flight,
        )
        await stack.enter_async_context(background_task(log_served_models(status)))
        await stack.enter_async_context(health_server(settings.health_socket, store.is_writable))
        await retrier.retry(check_redis, redis)
        await check.wait()
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
    settings = Settings.from_environment("backend")
    service_log.configure("backend", level=settings.log_level, fmt=settings.log_format)
    try:
        labels = read_labels(settings.labels)
    except BadLabels as error:
        sys.exit(f"backend: {error}")
    try:
        uvloop.run(run_worker(settings, labels))
    except UnsuitableRedis as error:
        sys.exit(f"backend: {error}")


if __name__ == "__main__":
    main()
