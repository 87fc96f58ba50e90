"""The names in an exported version that clients depend on. This module imports only the standard library."""

from collections.abc import Mapping
from typing import Final

from model_export.recipe import Input

SIGNATURE: Final = "serving_default"

IMAGE_BYTES: Final = "image_bytes"

INPUTS: Final[Mapping[Input, str]] = {"image": IMAGE_BYTES, "text": "text", "bytes": "bytes"}
"""Input: string [N], encoded JPEG or PNG images, or UTF-8 texts, or whatever the source takes."""

SCORES: Final = "scores"
"""Output: float32 [N, L], softmax. With `--background`, index 0 is `background` and always 0.0."""

TRAINED_SCORES_NODE: Final = "scores"
UNTRAINED_SCORES_NODE: Final = "scores_from_untrained_weights"
"""The graph node behind the output `scores`. Its name distinguishes trained from untrained weights.

GetModelMetadata returns it as the output's TensorInfo.name, `scores:0` or `scores_from_untrained_weights:0`. A client
can thus warn that labels mean nothing, without a second signature or service.
"""


def scores_node(*, trained: bool) -> str:
    return TRAINED_SCORES_NODE if trained else UNTRAINED_SCORES_NODE
