"""The connections and limits that the proxy holds from start-up to shutdown."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from background_task import background_task
from job_store import JobStore, Policy, check_redis_when_up, connect
from proxy.api_keys import ApiKeys
from proxy.authentication import Authentication
from proxy.batcher import Batcher
from proxy.byte_budget import ByteBudget
from proxy.inputs import BytesInput, ImageInput, Input, TextInput
from proxy.metadata import Metadata
from proxy.normalizer import normalizer
from proxy.rate_limits import RateLimits
from proxy.readiness import CheckedModel
from proxy.refinement_queue import MIN_BYTES_PER_S, RefinementQueue
from proxy.settings import Settings
from proxy.uploaded_image import Limits
from service_settings import ModelSettings
from tf_serving_client import ContractCheck, ModelContract, ModelError, ModelStatus, ServedClassifier, open_channel

SAMPLE_VALIDITY: Final = timedelta(seconds=1)
"""The fast model is checked at most this often, or clients that send invalid inputs would double its load."""


@dataclass(frozen=True, slots=True)
class Resources:
    fast_model: Batcher
    fast_check: ContractCheck
    accurate_check: ContractCheck
    models: tuple[ModelStatus, ...]
    store: JobStore
    refinement_queue: RefinementQueue
    input: Input
    byte_budget: ByteBudget
    test_input: bytes
    authentication: Authentication
    metadata: Metadata
    health_deadline: timedelta
    root_path: str

    @property
    def checked_models(self) -> tuple[CheckedModel, CheckedModel]:
        fast, accurate = self.models
        return CheckedModel(fast, self.fast_check), CheckedModel(accurate, self.accurate_check)

    @property
    def fast_model_problem(self) -> ModelError | None:
        """Why requests to the fast model fail; None if it was available and fitted when it was last checked."""
        return self.fast_check.problem

    @property
    def accurate_model_problem(self) -> ModelError | None:
        """Likewise of the accurate model, which the worker checks by itself."""
        return self.accurate_check.problem


@asynccontextmanager
async def resources(settings: Settings) -> AsyncIterator[Resources]:
    async with AsyncExitStack() as stack:
        redis = connect(settings.redis_url, name="proxy", timeout=settings.redis_timeout)
        await stack.enter_async_context(redis)
        policy = Policy(
            max_backlog=settings.max_queue_length, job_ttl=settings.job_ttl, pending_ttl=settings.pending_ttl
        )
        store = JobStore(redis, policy)
        large_timeout = settings.redis_timeout + timedelta(seconds=settings.max_payload_bytes / MIN_BYTES_PER_S)
        redis_for_large = connect(settings.redis_url, name="proxy-large", timeout=large_timeout)
        await stack.enter_async_context(redis_for_large)
        large_store = JobStore(redis_for_large, policy)
        test_input = settings.read_test_input()
        fast, fast_status = await stack.enter_async_context(_model(settings, settings.fast, test_input))
        accurate, accurate_status = await stack.enter_async_context(_model(settings, settings.accurate, test_input))
        await stack.enter_async_context(background_task(check_redis_when_up(store, large_store)))
        yield Resources(
            fast_model=_batcher(settings, fast),
            fast_check=fast.check,
            accurate_check=accurate.check,
            models=(fast_status, accurate_status),
            store=store,
            refinement_queue=RefinementQueue(store, settings.queue_timeout, settings.queue_cooldown, large_store),
            input=await stack.enter_async_context(_input(settings)),
            byte_budget=ByteBudget(settings.max_bytes_in_flight_per_process),
            test_input=test_input,
            metadata=Metadata(fast.check, accurate.check, settings.input),
            health_deadline=settings.health_deadline,
            root_path=settings.root_path,
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


@asynccontextmanager
async def _input(settings: Settings) -> AsyncIterator[Input]:
    if settings.input == "text":
        yield TextInput(settings.max_text_bytes, settings.body_rate)
    elif settings.input == "bytes":
        yield BytesInput(settings.max_data_bytes, settings.body_rate)
    else:
        async with normalizer(
            settings.normalized_side,
            settings.max_waiting,
            settings.fast_model_queue_timeout,
            concurrency=settings.decoders,
        ) as normalizer_:
            limits = Limits(settings.max_image_bytes, settings.max_image_pixels, settings.body_rate)
            yield ImageInput(limits, normalizer_)


@asynccontextmanager
async def _model(
    settings: Settings, model: ModelSettings, sample: bytes
) -> AsyncIterator[tuple[ServedClassifier, ModelStatus]]:
    contract = ModelContract.read(model)
    async with open_channel(contract.address) as channel:
        classifier = ServedClassifier(channel, contract, sample, settings.fast_model_deadline, SAMPLE_VALIDITY)
        async with background_task(classifier.check.watch()):
            yield classifier, ModelStatus(channel, contract.model, settings.health_deadline)


def _batcher(settings: Settings, model: ServedClassifier) -> Batcher:
    return Batcher(
        model,
        concurrency=settings.fast_model_concurrency,
        max_batch_size=settings.fast_model_batch_size,
        max_queued=settings.max_waiting,
        queue_timeout=settings.fast_model_queue_timeout,
    )
