"""Logs once which version of a model is served, and warns where its answers mean nothing."""

import asyncio
from typing import Final

import service_log
from tf_serving_client.errors import ContractBroken, ModelError
from tf_serving_client.model_status import ModelStatus

RETRY_INTERVAL_S: Final = 1.0


async def log_served_models(*models: ModelStatus) -> None:
    """Log each model as soon as its server answers. Returns when all are logged; run it in the background."""
    await asyncio.gather(*(_log_served_model(model) for model in models))


async def _log_served_model(model: ModelStatus) -> None:
    log = service_log.get_logger()
    while True:
        try:
            served = await model.describe()
        except ContractBroken as error:
            log.error("model contract broken", model=model.model, error=str(error))
            return
        except ModelError:
            await asyncio.sleep(RETRY_INTERVAL_S)
        else:
            break
    log.info("model served", model=served.model, version=served.version)
    if served.untrained:
        log.warning("weights untrained", model=served.model, error="the weights are UNTRAINED: the labels mean nothing")
