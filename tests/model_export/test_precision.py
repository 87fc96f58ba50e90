"""A SavedModel that computes in bfloat16."""

import shutil
from pathlib import Path
from typing import Final

import numpy as np
import pytest

from harness.models import PHOTOGRAPHS, WEIGHTS_DIR, has_trained_mobilenet
from model_export import saved_model
from tests.model_export import images
from tests.model_export.networks import ExportedModel, cached_export, cached_random_weights, session_model
from tests.model_export.recipes import MOBILENET_V2
from tests.model_export.sandbox import Sandbox

pytestmark = pytest.mark.timeout(300)  # the first test that uses a model may have to export it
IN_BFLOAT16: Final = ("--precision", "bfloat16")
DT_FLOAT: Final = 1  # tensorflow/core/framework/types.proto
DT_BFLOAT16: Final = 14


def test_float32_is_the_default_and_another_precision_is_another_version(
    tiny_export: Path, tiny_weights: Path, sandbox: Sandbox
) -> None:
    shutil.copytree(tiny_export, sandbox.folder / "1")
    assert sandbox.record(1)["precision"] == "float32"
    assert sandbox.export(*IN_BFLOAT16, weights=tiny_weights) == 0
    assert sandbox.record(2)["precision"] == "bfloat16"
    assert sandbox.export(*IN_BFLOAT16, weights=tiny_weights) == 0
    assert sandbox.versions() == ["1", "2"]


@pytest.fixture(scope="module")
def bfloat16_version(slow: None) -> Path:
    """A version of MobileNetV2 with ImageNet weights if there are any, otherwise with random ones."""
    weights = WEIGHTS_DIR if has_trained_mobilenet() else cached_random_weights(MOBILENET_V2)
    return cached_export(MOBILENET_V2, "bfloat16", *IN_BFLOAT16, weights=weights)


def test_photographs_keep_their_labels(mobilenet: ExportedModel, bfloat16_version: Path) -> None:
    photographs = [images.CAT.read_bytes(), *(path.read_bytes() for path in PHOTOGRAPHS)]
    expected = mobilenet.predict(photographs)
    with session_model(bfloat16_version) as in_bfloat16:
        scores = in_bfloat16.predict(photographs)
    assert scores.dtype == np.float32
    assert (scores.argmax(axis=1) == expected.argmax(axis=1)).all()
    assert 1e-4 < np.abs(scores - expected).max() < 0.06


def test_convolutions_compute_in_bfloat16_and_the_softmax_in_float32(bfloat16_version: Path) -> None:
    (meta_graph,) = saved_model.read(bfloat16_version).meta_graphs
    types = {
        op: {node.attr["T"].type for node in meta_graph.graph_def.node if node.op == op}
        for op in ("Conv2D", "DepthwiseConv2dNative", "Softmax")
    }
    assert types == {"Conv2D": {DT_BFLOAT16}, "DepthwiseConv2dNative": {DT_BFLOAT16}, "Softmax": {DT_FLOAT}}
