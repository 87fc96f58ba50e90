"""Logs which version of a model is served, and what is wrong with it."""

import time
from collections.abc import Sequence
from typing import Final

import service_log
from tf_serving_client.contract import ModelContract, ServedModel
from tf_serving_client.errors import ModelError, ModelMismatch
from tf_serving_client.protos import ModelVersionStatus

STARTUP_GRACE_S: Final = 5.0
"""A model server that starts together with its client is not reported as unavailable for this long."""


class ContractLog:
    """Logs each version and each problem once, and again after the other."""

    def __init__(self, contract: ModelContract) -> None:
        self._contract = contract
        self._logged: object = None
        self._created_at = time.monotonic()
        self._failed_versions: set[int] = set()

    def problem(self, error: ModelError) -> None:
        key = error.cause if isinstance(error, ModelMismatch) else ModelError
        if key == self._logged or (key is ModelError and self._may_be_starting()):
            return
        self._logged = key
        if isinstance(error, ModelMismatch):
            service_log.get_logger().error(
                "model mismatch", model=error.model, error=error.cause, expected=error.expected, change=error.change
            )
        else:
            service_log.get_logger().warning(
                "model unavailable", model=error.model, error=str(error), expected="a model server",
                change=f"start it, or set {self._contract.prefix}_MODEL_ADDRESS, now {self._contract.address}",
            )  # fmt: skip

    def _may_be_starting(self) -> bool:
        return self._logged is None and time.monotonic() - self._created_at < STARTUP_GRACE_S

    def served(self, served: ServedModel) -> None:
        if served == self._logged:
            return
        self._logged = served
        log, model, prefix = service_log.get_logger(), self._contract.model, self._contract.prefix
        log.info(
            "model served", model=model, version=served.version, signature=served.signature.name, scores=served.width
        )
        if served.is_untrained:
            log.warning(
                "weights untrained",
                model=model,
                error="the weights are UNTRAINED, so the labels mean nothing: export the model with trained weights",
            )
        if self._contract.labels is None:
            log.warning("labels missing", model=model, error=f"the index is the label: set {prefix}_LABELS to a file")

    def not_probabilities(self, served: ServedModel) -> None:
        service_log.get_logger().warning(
            "scores not probabilities",
            model=self._contract.model,
            version=served.version,
            error=f"some are less than 0 or more than 1: set {self._contract.prefix}_SCORES=logits if they are logits",
        )

    def versions(self, versions: Sequence[ModelVersionStatus]) -> None:
        """Log versions that were published but cannot be loaded; an older one is served instead."""
        for version in versions:
            if version.status.error_code and version.version not in self._failed_versions:
                self._failed_versions.add(version.version)
                service_log.get_logger().warning(
                    "version not loaded",
                    model=self._contract.model,
                    version=version.version,
                    error=version.status.error_message,
                )
