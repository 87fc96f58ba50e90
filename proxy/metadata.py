"""The body of `/metadata`: the format of the models' input and output."""

from typing import Final

from pydantic_core import to_json

from service_settings import DEMO_MODELS
from tf_serving_client import ContractCheck, ServedModel

DEMO_WIDTH: Final = 1001
DATA_SAMPLES: Final = {
    "image": "base64 encoded image file",
    "text": "text in UTF-8",
    "bytes": "base64 encoded data",
}
DEMO_SAMPLE: Final = "[0.07093159, 0.01558308, 0.01348537, ...]"


class Metadata:
    """Built once for each pair of versions. The demo's models have a body that must never change."""

    def __init__(self, fast: ContractCheck, accurate: ContractCheck, input_: str) -> None:
        self._fast, self._accurate, self._input = fast, accurate, input_
        self._built_from: tuple[ServedModel | None, ServedModel | None] | None = None
        self._body = b""

    async def body(self) -> bytes:
        """Raises a `ModelError` while nothing is known of the fast model."""
        if self._fast.served is None and not self._is_demo(self._fast):
            await self._fast.current()
        served = self._fast.served, self._accurate.served
        if self._built_from != served:
            self._body = to_json(self._build())
            self._built_from = served
        return self._body

    def _build(self) -> dict[str, str]:
        described = {
            "data_type": "str",
            "data_structure": "(1,1)",
            "data_sample": DATA_SAMPLES[self._input],
            "prediction_type": "float32",
            "prediction_structure": f"(1,{_width(self._fast)})",
            "prediction_sample": _sample(self._fast),
        }
        if self._accurate.served and not (self._is_demo(self._fast) and self._is_demo(self._accurate)):
            described["accurate_prediction_structure"] = f"(1,{_width(self._accurate)})"
        return described

    def _is_demo(self, check: ContractCheck) -> bool:
        return check.contract.model in DEMO_MODELS and _width(check) == DEMO_WIDTH


def _width(check: ContractCheck) -> int | str:
    if check.served and check.served.width:
        return check.served.width
    return len(check.contract.labels) if check.contract.labels else "L"


def _sample(check: ContractCheck) -> str:
    if _width(check) == DEMO_WIDTH and check.contract.model in DEMO_MODELS:
        return DEMO_SAMPLE
    shown = [f"{score:.7g}" for score in check.sample_scores]
    return f"[{', '.join([*shown, '...'])}]"
