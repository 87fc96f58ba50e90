"""The two stacks there are, and which images the models are served from."""

import os
import re
from typing import Final

import pytest

from harness.models import WEIGHTS_DIR
from harness.process import ROOT
from tests.compose.compose_stack import VERSION, Stack
from tests.compose.engine import can_have

TENSORFLOW: Final = "TensorFlow Serving"
LOCAL: Final = "local serving"
VARIANTS: Final = (TENSORFLOW, LOCAL)
in_one_variant: Final = pytest.mark.parametrize("started", [TENSORFLOW], indirect=True)
"""For what does not depend on who serves the models."""

IMAGE: Final = "shibui/ml-system-in-actions:sync_async_pattern"
BUILT_HERE: Final = f"{IMAGE}_local_tf_serving_{VERSION}"
MODELS: Final = ("mobilenet_v2", "inception_v3")


def tf_serving_image() -> str:
    """TensorFlow Serving's own image where it can be had; else the project's, which takes its place flag for flag."""
    makefile = (ROOT / "Makefile").read_text("utf-8")
    [default] = re.findall(r"^TF_SERVING_IMAGE\s*\?=\s*(\S+)", makefile, re.M)
    image = os.environ.get("TF_SERVING_IMAGE", default)
    return image if can_have(image) else BUILT_HERE


def stack_of(variant: str) -> Stack:
    """Trained weights where there are some for both models; else untrained ones, by name."""
    trained = all((WEIGHTS_DIR / f"{model}.weights.h5").exists() for model in MODELS)
    weights = {} if trained else {"WEIGHTS": "untrained"}
    serving = {"SERVING": "local"} if variant == LOCAL else {"TF_SERVING_IMAGE": tf_serving_image()}
    return Stack({**weights, **serving})
