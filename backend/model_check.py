"""Checks the accurate model with a known good image, so that a wrong model costs no job."""

from typing import Protocol

import service_log
from backend.retrier import Retrier, backoff_s
from tf_serving_client import Classifier, ContractBroken, ImageRejected, ModelError


class Described(Protocol):
    """The part of `ModelStatus` that is used here."""

    async def describe(self) -> object:
        """Raises a `ModelError`: `ContractBroken` if the signature is not the model contract's."""


class ModelCheck:
    def __init__(self, status: Described, model: Classifier, retrier: Retrier, image: bytes) -> None:
        self._status = status
        self._model = model
        self._retrier = retrier
        self._image = image

    async def passes(self) -> bool:
        """Return whether the model fits the contract and accepts the known good image."""
        return await self._error() is None

    async def wait(self) -> None:
        """Return when the check passes or the worker is stopping. Logs why it does not pass."""
        attempt = 1
        logged: type[ModelError] | None = None
        while not self._retrier.is_stopping and (error := await self._error()):
            if type(error) is not logged:
                logged = type(error)
                _log(error)
            await self._retrier.pause(backoff_s(attempt))
            attempt += 1
        if logged and not self._retrier.is_stopping:
            service_log.get_logger().info("claims resumed", model=self._model.model)

    async def _error(self) -> ModelError | None:
        try:
            await self._status.describe()
            await self._model.classify([self._image])
        except ModelError as error:
            return error
        return None


def _log(error: ModelError) -> None:
    if isinstance(error, ContractBroken | ImageRejected):
        service_log.get_logger().error("claims suspended", model=error.model, error=str(error))
    else:
        service_log.get_logger().warning("model unavailable", model=error.model, jobs=0, error=str(error))
