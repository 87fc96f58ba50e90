"""The two variants of the stack and the images of their model servers."""

import os
import re
from typing import Final

import pytest

from harness.models import WEIGHTS_DIR
from harness.process import ROOT
from tests.compose.compose_stack import VERSION, Stack
from tests.compose.engine import is_available

TENSORFLOW: Final = "TensorFlow Serving"
LOCAL: Final = "local serving"
VARIANTS: Final = (TENSORFLOW, LOCAL)
in_one_variant: Final = pytest.mark.parametrize("started", [TENSORFLOW], indirect=True)
"""For tests whose result does not depend on the model server."""

IMAGE: Final = "shibui/ml-system-in-actions:sync_async_pattern"
BUILT_HERE: Final = f"{IMAGE}_local_tf_serving_{VERSION}"
MODELS: Final = ("mobilenet_v2", "inception_v3")


def tf_serving_image() -> str:
    """Return TensorFlow Serving's image, or this project's compatible image if that can't be pulled."""
    makefile = (ROOT / "Makefile").read_text("utf-8")
    [default] = re.findall(r"^TF_SERVING_IMAGE\s*\?=\s*(\S+)", makefile, re.M)
    image = os.environ.get("TF_SERVING_IMAGE", default)
    return image if is_available(image) else BUILT_HERE


def stack_of(variant: str) -> Stack:
    """Return a stack with trained weights if both models have some, else with untrained weights."""
    trained = all((WEIGHTS_DIR / f"{model}.weights.h5").exists() for model in MODELS)
    weights = {} if trained else {"WEIGHTS": "untrained"}
    serving = {"SERVING": "local"} if variant == LOCAL else {"TF_SERVING_IMAGE": tf_serving_image()}
    return Stack({**weights, **serving})
