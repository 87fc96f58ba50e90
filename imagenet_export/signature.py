"""The names both exports promise to their clients. Nothing is imported here, so anyone may import this."""

SIGNATURE = "serving_default"

IMAGE_BYTES = "image_bytes"
"""Input: string [N], encoded JPEG or PNG images."""

SCORES = "scores"
"""Output: float32 [N, 1001], softmax. Index 0 is `background` and always 0.0; 1…1000 are the ImageNet classes."""

CLASSES = 1001

TRAINED_SCORES_NODE = "scores"
UNTRAINED_SCORES_NODE = "scores_from_untrained_weights"
"""The graph node behind the output `scores`: it tells trained from untrained weights.

GetModelMetadata shows it as the output's TensorInfo.name, `scores:0` or `scores_from_untrained_weights:0`, so a client
can warn people that labels mean nothing, without a second signature or a second service.
"""


def scores_node(*, trained: bool) -> str:
    return TRAINED_SCORES_NODE if trained else UNTRAINED_SCORES_NODE
