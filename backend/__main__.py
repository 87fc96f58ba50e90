"""`python -m backend`: work until SIGTERM."""

import asyncio
import signal
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Final

import uvloop

import service_log
from backend.batch import Means
from backend.health import answering
from backend.lease import BEATS
from backend.retrier import Patience
from backend.settings import Settings
from backend.worker import Worker
from background_task import background_task
from job_store import BacklogListener, JobStore, Policy, connect
from tf_serving_client import BadLabels, ImageClassifier, ModelStatus, log_served_models, open_channel, read_labels

STATUS_DEADLINE: Final = timedelta(seconds=5)
"""For asking the model whether it is there. One that is starved, or far away, takes its time even for that, and a
worker that takes it for dead would wait as long as that lasts, though Predicts would be answered."""


async def work(settings: Settings, labels: Sequence[str]) -> None:
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    policy = Policy(
        max_backlog=settings.max_queue_length,
        job_ttl=settings.job_ttl,
        pending_ttl=settings.pending_ttl,
        lease=settings.lease,
        max_attempts=settings.max_attempts,
    )
    async with AsyncExitStack() as stack:
        channel = await stack.enter_async_context(open_channel(settings.accurate_model_address))
        redis = await stack.enter_async_context(
            connect(settings.redis_url, name="backend", timeout=settings.redis_timeout)
        )
        store = JobStore(redis, policy)
        bell = BacklogListener.connect(
            settings.redis_url,
            name="backend-listener",
            keys=store.keys,
            block_for=settings.lease / BEATS,
            margin=settings.redis_timeout,
        )
        await stack.enter_async_context(bell.redis)
        model = ImageClassifier(channel, settings.accurate_model, labels, settings.predict_deadline)
        status = ModelStatus(channel, settings.accurate_model, deadline=STATUS_DEADLINE)
        worker = Worker(
            Means(store, model, status, Patience(stopping)),
            bell,
            batch_size=settings.batch_size,
            lanes=settings.batches_in_flight,
        )
        service_log.get_logger().info("worker started", model=settings.accurate_model, batch=settings.batch_size)
        await stack.enter_async_context(background_task(log_served_models(status)))
        await stack.enter_async_context(answering(settings.health_socket, store.ping))
        await worker.run(stopping, settings.shutdown_grace)


def main() -> None:
    settings = Settings.from_environment("backend")
    service_log.configure("backend", level=settings.log_level, fmt=settings.log_format)
    try:
        labels = read_labels(settings.labels)
    except BadLabels as error:
        sys.exit(f"backend: {error}")
    uvloop.run(work(settings, labels))


if __name__ == "__main__":
    main()
