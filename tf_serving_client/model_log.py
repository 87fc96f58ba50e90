"""Logs which version of a model is served, and warns if its weights are untrained."""

import asyncio
from typing import Final

import service_log
from tf_serving_client.errors import ContractBroken, ModelError
from tf_serving_client.model_status import ModelStatus

RETRY_INTERVAL_S: Final = 1.0


async def log_served_models(*statuses: ModelStatus) -> None:
    """Log each model once its server responds. Returns when all are logged; run it in the background."""
    await asyncio.gather(*(_log_served_model(status) for status in statuses))


async def _log_served_model(status: ModelStatus) -> None:
    while True:
        try:
            description = await status.describe()
            break
        except ContractBroken as error:
            service_log.get_logger().error("model contract broken", model=status.model, error=str(error))
            return
        except ModelError:
            await asyncio.sleep(RETRY_INTERVAL_S)
    service_log.get_logger().info("model served", model=description.model, version=description.version)
    if description.is_untrained:
        service_log.get_logger().warning(
            "weights untrained",
            model=description.model,
            error="the weights are UNTRAINED, so the labels mean nothing: export the model with trained weights",
        )
