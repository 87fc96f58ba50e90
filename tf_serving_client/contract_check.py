"""Checks the served version of a model: at start, when it changes, and when it rejects an input.

A server swaps versions before its clients can check them. So every response names its version, and a response of an
unchecked version counts only after the check; and a rejected input is the client's fault only if a known-good sample
passes on the served version at that moment.
"""

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Final

import grpc

import service_log
from tf_serving_client.contract import ModelContract, ServedModel
from tf_serving_client.contract_log import ContractLog
from tf_serving_client.errors import (
    ContractBroken,
    InputRejected,
    ModelBusy,
    ModelError,
    ModelMismatch,
    ModelTooSlow,
    ModelUnavailable,
    NonFiniteScores,
)
from tf_serving_client.model_status import ModelStatus
from tf_serving_client.predict import Predict, ScoreRows
from tf_serving_client.prediction import NotFinite, Prediction
from tf_serving_client.protos import ModelVersionStatus

CHECK_DEADLINE: Final = timedelta(seconds=5)
"""An overloaded or distant model server, which still answers Predicts, gets this long to describe its model."""
WATCH_INTERVAL_S: Final = 5.0
"""Between two checks while the model fits. They cost a metadata call each, and a Predict only for a new version."""
RETRY_INTERVAL_S: Final = 0.5
"""Between two checks while the model does not fit or is unavailable."""
MAX_SWAPS: Final = 3
"""Version changes during one check."""
MAX_REMEMBERED: Final = 8
"""Versions. Replicas may serve several."""
OUTAGE_CODES: Final = (None, grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)
"""With these, and with NOT_FOUND during a swap, a Predict may fail although the model is right."""
MARGIN: Final = 0.01
"""By which a rounded probability may be less than 0 or more than 1."""


class ContractCheck:
    """One for each model and process. `watch` must run in the background."""

    def __init__(
        self,
        contract: ModelContract,
        status: ModelStatus,
        predict: Predict,
        sample: bytes | None,
        sample_validity: timedelta,
    ) -> None:
        """`sample` is an input that every right model accepts. None: only the signature is checked.

        After it has passed, it is not sent again for `sample_validity`.
        """
        self.contract = contract
        self.served: ServedModel | None = None
        """The version that passed last; None while the model does not fit."""
        self.problem: ModelError | None = ModelUnavailable(contract.model, "it has not been checked yet")
        """Why the last check did not pass."""
        self._status, self._predict, self._sample = status, predict, sample
        self._sample_validity_s = sample_validity.total_seconds()
        self._passed: dict[int, tuple[ServedModel, float]] = {}
        """The versions that passed since the model was last unavailable, and when the sample did."""
        self._lock = asyncio.Lock()
        self._started = self._last_completed = 0
        self._was_fresh = False
        self._checked_at = -RETRY_INTERVAL_S
        self._fits, self._woken = asyncio.Event(), asyncio.Event()
        self._log = ContractLog(contract)
        self.sample_scores: Sequence[float] = ()
        """The first scores of the sample."""

    def has_passed(self, version: int) -> bool:
        return version in self._passed

    async def wait_until_fits(self) -> None:
        await self._fits.wait()

    async def watch(self) -> None:
        """Check the model for ever. Logs each new version and each problem."""
        while True:
            try:
                await self.check()
                self._log.versions(await self._status.versions())
            except ModelError:
                pass  # it is logged
            except Exception as error:
                service_log.get_logger().error("model check failed", model=self.contract.model, exc_info=error)
            with suppress(TimeoutError):
                async with asyncio.timeout(RETRY_INTERVAL_S if self.problem else WATCH_INTERVAL_S):
                    await self._woken.wait()
                    await asyncio.sleep(RETRY_INTERVAL_S)
            self._woken.clear()

    def report_outage(self) -> None:
        """The model was unavailable: another model may be served when it comes back."""
        self._passed.clear()
        self._woken.set()

    async def current(self) -> ServedModel:
        """Return the version that passed last. Checks the model if there is none. Raises a `ModelError`."""
        if self.served:
            return self.served
        if isinstance(self.problem, ModelMismatch) and time.monotonic() - self._checked_at < RETRY_INTERVAL_S:
            raise self.problem.with_traceback(None)
        return await self.check()

    async def check(self, *, is_fresh: bool = False) -> ServedModel:
        """Return the served version. Raises a `ModelError`: `ModelMismatch` if it does not fit.

        Concurrent callers share a check that started after their calls. With `is_fresh`, the sample must have passed
        within the last `sample_validity`; otherwise it is sent to each version once.
        """
        started = self._started
        async with self._lock:
            if self._last_completed <= started or (is_fresh and not self._was_fresh):
                self._started += 1
                await self._update(is_fresh)
                self._was_fresh = is_fresh
                self._last_completed, self._checked_at = self._started, time.monotonic()
        if self.problem:
            raise self.problem.with_traceback(None)
        assert self.served  # noqa: S101 (there is a version or a problem)
        return self.served

    def _needs_no_sample(self, version: int, is_fresh: bool) -> bool:
        if version not in self._passed:
            return False
        return not is_fresh or time.monotonic() - self._passed[version][1] < self._sample_validity_s

    async def _update(self, is_fresh: bool) -> None:
        try:
            served = await self._run(is_fresh)
        except ModelError as error:
            self.problem = error
            if isinstance(error, ModelMismatch):
                self.served = None
                self._fits.clear()
            self._passed.clear()
            self._log.problem(error)
        else:
            self.served, self.problem = served, None
            self._fits.set()
            self._log.served(served)

    async def _run(self, is_fresh: bool) -> ServedModel:
        for _ in range(MAX_SWAPS):
            served = await self._describe()
            passed, _ = self._passed.get(served.version, (None, 0))
            if passed and passed.signature == served.signature and self._needs_no_sample(served.version, is_fresh):
                return passed
            try:
                version, tested = await self._try_sample(served)
            except ModelMismatch:
                if (await self._describe()).version == served.version:
                    raise
            else:
                if version == served.version:
                    self._remember(tested)
                    return tested
        raise ModelUnavailable(self.contract.model, "its version changes too often to be checked")

    def _remember(self, served: ServedModel) -> None:
        if len(self._passed) >= MAX_REMEMBERED:
            del self._passed[min(self._passed)]
        self._passed[served.version] = served, time.monotonic()

    async def _describe(self) -> ServedModel:
        try:
            return self.contract.fit(await self._status.describe())
        except ContractBroken as error:
            raise self.contract.not_a_model_server(error) from error
        except ModelTooSlow as error:
            raise ModelUnavailable(error.model, "the server did not describe it in time", error.code) from error
        except ModelUnavailable as error:
            if error.code is grpc.StatusCode.NOT_FOUND:
                self._raise_if_not_served(await self._status.versions())
            raise

    def _raise_if_not_served(self, versions: Sequence[ModelVersionStatus]) -> None:
        if not versions:
            raise self.contract.unknown_name()
        if all(version.state == ModelVersionStatus.END for version in versions):
            raise self.contract.not_loaded(versions[0].version, versions[0].status.error_message)

    async def _try_sample(self, served: ServedModel) -> tuple[int, ServedModel]:
        """Send the sample. Return the version that answered, and what is now known of it."""
        if self._sample is None:
            return served.version, served
        try:
            scores = await self._predict.scores(served.signature, [self._sample])
            if scores.version != served.version:
                return scores.version, served
            return scores.version, self._read(served, scores)
        except (InputRejected, ContractBroken) as error:
            raise self.contract.sample_failed(served, error) from error
        except ModelTooSlow as error:
            raise ModelBusy(error.model, "a known-good input was not answered in time", error.code) from error
        except ModelUnavailable as error:
            if error.code in (*OUTAGE_CODES, grpc.StatusCode.NOT_FOUND):
                raise
            raise self.contract.sample_failed(served, error) from error

    def _read(self, served: ServedModel, scores: ScoreRows) -> ServedModel:
        if scores.shape and (len(scores.shape) != 2 or scores.shape[0] != 1):
            raise self.contract.wrong_shape(served, scores.shape)
        served = self.contract.with_width(served, len(scores.values))
        try:
            Prediction.from_scores(self.contract.model, served.version, scores.values, served.labels)
        except NotFinite as error:
            raise NonFiniteScores(self.contract.model, f"answered with {error}") from None
        self.sample_scores = scores.values[:3]
        if self.contract.scores == "softmax" and not all(-MARGIN <= score <= 1 + MARGIN for score in scores.values):
            self._log.not_probabilities(served)
        return served
