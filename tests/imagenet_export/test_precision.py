"""A SavedModel that computes in bfloat16, for who asks for it."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from harness.models import PHOTOGRAPHS
from imagenet_export import saved_model
from imagenet_export.publishing import ModelFolder
from imagenet_mobilenet_v2.export import MOBILENET_V2
from tests.imagenet_export import images
from tests.imagenet_export.machine import Machine
from tests.imagenet_export.networks import export, served

pytestmark = pytest.mark.timeout(300)  # the first test to ask for a model may have to export it
ASKED = ("--precision", "bfloat16")
BFLOAT16 = 14  # tensorflow/core/framework/types.proto


def test_float32_is_the_default_and_another_precision_another_version(
    exported_once: Path, trained: Path, machine: Machine
) -> None:
    shutil.copytree(exported_once, machine.models)
    assert machine.record(1)["precision"] == "float32"
    assert export(MOBILENET_V2, machine.models, *ASKED, weights=trained) == 0
    assert machine.record(2)["precision"] == "bfloat16"
    assert export(MOBILENET_V2, machine.models, *ASKED, weights=trained) == 0
    assert machine.versions() == ["1", "2"]


def test_photographs_keep_their_labels(imagenet_weights: Path, machine: Machine) -> None:
    photographs = [images.CAT.read_bytes(), *(path.read_bytes() for path in PHOTOGRAPHS)]
    assert export(MOBILENET_V2, machine.models, weights=imagenet_weights) == 0
    assert export(MOBILENET_V2, machine.models, *ASKED, weights=imagenet_weights) == 0
    exact, lowered = (version.path for version in ModelFolder(machine.models, MOBILENET_V2.name).versions())
    with served(exact) as one, served(lowered) as other:
        expected, scores = one.predict(photographs), other.predict(photographs)
    assert scores.dtype == np.float32
    assert (scores.argmax(axis=1) == expected.argmax(axis=1)).all()
    assert 1e-4 < np.abs(scores - expected).max() < 0.06


def test_convolutions_compute_in_bfloat16_and_the_softmax_does_not(trained: Path, machine: Machine) -> None:
    assert export(MOBILENET_V2, machine.models, *ASKED, weights=trained) == 0
    (meta_graph,) = saved_model.read(machine.models / "mobilenet_v2" / "1").meta_graphs
    types = {
        op: {node.attr["T"].type for node in meta_graph.graph_def.node if node.op == op}
        for op in ("Conv2D", "DepthwiseConv2dNative", "Softmax")
    }
    assert types == {"Conv2D": {BFLOAT16}, "DepthwiseConv2dNative": {BFLOAT16}, "Softmax": {1}}
