"""Classifies payloads with one model over TensorFlow Serving's gRPC API."""

from collections.abc import Sequence
from datetime import timedelta

import grpc.aio

from tf_serving_client.contract import ModelContract, ServedModel
from tf_serving_client.contract_check import CHECK_DEADLINE, MAX_SWAPS, OUTAGE_CODES, ContractCheck
from tf_serving_client.errors import (
    ContractBroken,
    InputRejected,
    ModelError,
    ModelMismatch,
    ModelUnavailable,
    NonFiniteScores,
)
from tf_serving_client.model_status import ModelStatus
from tf_serving_client.predict import Predict, ScoreRows
from tf_serving_client.prediction import NotFinite, Prediction


class ServedClassifier:
    """Classifies with the version that passed the `check`, and blames an input only if the model is right."""

    def __init__(
        self,
        channel: grpc.aio.Channel,
        contract: ModelContract,
        sample: bytes | None,
        deadline: timedelta,
        sample_validity: timedelta = timedelta(0),
    ) -> None:
        self.model = contract.model
        self.deadline = deadline
        self.status = ModelStatus(channel, contract.model, CHECK_DEADLINE)
        check_predict = Predict(channel, contract.model, max(deadline, CHECK_DEADLINE))
        self.check = ContractCheck(contract, self.status, check_predict, sample, sample_validity)
        self._predict = Predict(channel, contract.model, deadline)
        self._are_logits = contract.scores == "logits"

    async def classify(self, payloads: Sequence[bytes]) -> list[Prediction]:
        """Classify N payloads in one Predict; the predictions are in the same order.

        Raises a `ModelError`. One payload that the model cannot read fails all N (`InputRejected`), and so does one
        with scores that are not finite (`NonFiniteScores`).
        """
        served = self.check.served or await self.check.current()
        for _ in range(MAX_SWAPS):
            try:
                return await self._classify(served, payloads)
            except (InputRejected, ContractBroken):
                checked = await self.check.check(is_fresh=True)
                if checked == served:
                    raise
                served = checked  # the request was for another version
            except ModelUnavailable as error:
                if error.code in OUTAGE_CODES:
                    self.check.report_outage()
                else:
                    await self._raise_mismatch(is_fresh=True)
                raise
        raise ModelUnavailable(self.model, "its version changes too often")

    async def _classify(self, served: ServedModel, payloads: Sequence[bytes]) -> list[Prediction]:
        scores = await self._predict.scores(served.signature, payloads)
        predictions = self._read(served, scores, len(payloads))
        if not self.check.has_passed(scores.version):
            await self._raise_mismatch()
        return predictions

    async def _raise_mismatch(self, *, is_fresh: bool = False) -> None:
        """Check the model. Other errors than a mismatch do not matter to a call that has its outcome."""
        try:
            await self.check.check(is_fresh=is_fresh)
        except ModelMismatch:
            raise
        except ModelError:
            return

    def _read(self, served: ServedModel, scores: ScoreRows, count: int) -> list[Prediction]:
        width = served.width or 0
        try:
            if len(scores.values) != count * width:
                raise ValueError(f"{len(scores.values)} scores for {count} inputs of {width} labels")
            return [
                Prediction.from_scores(self.model, scores.version, row, served.labels, are_logits=self._are_logits)
                for row in scores.rows(width)
            ]
        except NotFinite as error:
            raise NonFiniteScores(self.model, f"answered with {error} for one of {count} inputs") from None
        except ValueError as error:
            raise ContractBroken(self.model, f"returned {error}; expected float32 [N, {width}]") from None
