"""The names in both exports that clients depend on. This module imports only the standard library."""

from typing import Final

SIGNATURE: Final = "serving_default"

IMAGE_BYTES: Final = "image_bytes"
"""Input: string [N], encoded JPEG or PNG images."""

SCORES: Final = "scores"
"""Output: float32 [N, 1001], softmax. Index 0 is `background` and always 0.0; 1…1000 are the ImageNet classes."""

CLASSES: Final = 1001

TRAINED_SCORES_NODE: Final = "scores"
UNTRAINED_SCORES_NODE: Final = "scores_from_untrained_weights"
"""The graph node behind the output `scores`. Its name distinguishes trained from untrained weights.

GetModelMetadata returns it as the output's TensorInfo.name, `scores:0` or `scores_from_untrained_weights:0`. A client
can thus warn that labels mean nothing, without a second signature or service.
"""


def scores_node(*, trained: bool) -> str:
    return TRAINED_SCORES_NODE if trained else UNTRAINED_SCORES_NODE
