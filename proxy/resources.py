"""The connections and limits that the proxy holds from start-up to shutdown."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

import grpc.aio

from background_task import background_task
from job_store import JobStore, Policy, check_redis_when_up, connect
from proxy.api_keys import ApiKeys
from proxy.authentication import Authentication
from proxy.batcher import Batcher
from proxy.byte_budget import ByteBudget
from proxy.normalizer import Normalizer, normalizer
from proxy.rate_limits import RateLimits
from proxy.refinement_queue import MIN_BYTES_PER_S, RefinementQueue
from proxy.settings import Settings
from proxy.uploaded_image import Limits
from tf_serving_client import ImageClassifier, ModelStatus, log_served_models, open_channel, read_labels


@dataclass(frozen=True, slots=True)
class Resources:
    fast_model: Batcher
    models: tuple[ModelStatus, ...]
    store: JobStore
    refinement_queue: RefinementQueue
    limits: Limits
    byte_budget: ByteBudget
    normalizer: Normalizer
    test_image: bytes
    authentication: Authentication


@asynccontextmanager
async def resources(settings: Settings) -> AsyncIterator[Resources]:
    async with AsyncExitStack() as stack:
        fast = await stack.enter_async_context(open_channel(settings.fast_model_address))
        accurate = await stack.enter_async_context(open_channel(settings.accurate_model_address))
        redis = connect(settings.redis_url, name="proxy", timeout=settings.redis_timeout)
        await stack.enter_async_context(redis)
        policy = Policy(
            max_backlog=settings.max_queue_length, job_ttl=settings.job_ttl, pending_ttl=settings.pending_ttl
        )
        store = JobStore(redis, policy)
        large_timeout = settings.redis_timeout + timedelta(seconds=settings.max_image_bytes / MIN_BYTES_PER_S)
        redis_for_large = connect(settings.redis_url, name="proxy-large", timeout=large_timeout)
        await stack.enter_async_context(redis_for_large)
        large_store = JobStore(redis_for_large, policy)
        models = (
            ModelStatus(fast, settings.fast_model, settings.health_deadline),
            ModelStatus(accurate, settings.accurate_model, settings.health_deadline),
        )
        await stack.enter_async_context(background_task(log_served_models(*models)))
        await stack.enter_async_context(background_task(check_redis_when_up(store, large_store)))
        yield Resources(
            fast_model=_fast_model(settings, fast),
            models=models,
            store=store,
            refinement_queue=RefinementQueue(store, settings.queue_timeout, settings.queue_cooldown, large_store),
            limits=settings.upload_limits,
            byte_budget=ByteBudget(settings.max_bytes_in_flight_per_process),
            normalizer=await stack.enter_async_context(
                normalizer(
                    settings.normalized_side,
                    settings.max_waiting,
                    settings.fast_model_queue_timeout,
                    concurrency=settings.decoders,
                )
            ),
            test_image=settings.test_image.read_bytes(),
            authentication=await stack.enter_async_context(_authentication(settings)),
        )


@asynccontextmanager
async def _authentication(settings: Settings) -> AsyncIterator[Authentication]:
    rate_limits = RateLimits(settings.workers)
    limits = settings.max_queued_per_client, settings.rate_per_client
    if settings.api_keys_file is None:
        yield Authentication(None, rate_limits, *limits)
        return
    keys = ApiKeys(settings.api_keys_file)
    async with background_task(keys.keep_current()):
        yield Authentication(keys, rate_limits, *limits)


def _fast_model(settings: Settings, channel: grpc.aio.Channel) -> Batcher:
    labels = read_labels(settings.labels)
    return Batcher(
        ImageClassifier(channel, settings.fast_model, labels, settings.fast_model_deadline),
        concurrency=settings.fast_model_concurrency,
        max_batch_size=settings.fast_model_batch_size,
        max_queued=settings.max_waiting,
        queue_timeout=settings.fast_model_queue_timeout,
    )
