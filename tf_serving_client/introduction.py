"""Says once in the log what serves a model, and where its answers can't be relied on."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

import hop_log
from tf_serving_client.errors import ContractBroken, ModelError
from tf_serving_client.model_status import ModelStatus

ASK_AGAIN_S: Final = 1.0


@asynccontextmanager
async def introduced(*models: ModelStatus) -> AsyncIterator[None]:
    """Introduce each model as soon as it can be asked, while the context goes on with its own work."""
    introductions = asyncio.gather(*(_introduce(model) for model in models))
    try:
        yield
    finally:
        introductions.cancel()
        with suppress(asyncio.CancelledError):
            await introductions


async def _introduce(model: ModelStatus) -> None:
    log = hop_log.get()
    while True:
        try:
            found = await model.describe()
        except ContractBroken as error:
            log.error("× model", model=model.model, error=str(error))
            return
        except ModelError:
            await asyncio.sleep(ASK_AGAIN_S)
        else:
            break
    log.info("→ model", model=found.model, version=found.version)
    if found.untrained:
        log.warning("× model", model=found.model, error="its weights are UNTRAINED: its labels mean nothing")
