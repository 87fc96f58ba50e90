"""OpenVINO's IR beside the SavedModel."""

import os
import shutil
from pathlib import Path
from typing import Final

import numpy as np
import openvino
import pytest
from PIL import Image
from tensorflow.core.protobuf.meta_graph_pb2 import MetaGraphDef

from model_export import openvino_ir, saved_model, verification
from model_export.errors import VerificationFailed
from model_export.publishing import Version
from tests.model_export import images
from tests.model_export.networks import ExportedModel, expectation, random_network, source_of, untrained_network
from tests.model_export.tiny import TINY

pytestmark = pytest.mark.timeout(300)  # the first test that uses a model may have to export it
FOLDER: Final = Path("assets.extra", "openvino")


def test_the_scores_of_the_ir_equal_those_of_the_saved_model(model: ExportedModel) -> None:
    four = images.four_different()
    size = model.recipe.pixels_size
    pixels = np.stack([images.resized(Image.fromarray(images.rgb(image)), size) for image in four])
    scores = openvino_ir.predict(model.version, pixels)
    np.testing.assert_allclose(scores, model.predict(four), atol=1e-3)


def test_signatures_pb_has_the_signatures_of_the_saved_model_and_nothing_else(model: ExportedModel) -> None:
    signatures = MetaGraphDef.FromString((model.version / FOLDER / "signatures.pb").read_bytes())
    assert signatures.signature_def == model.signatures
    assert not signatures.graph_def.node


@pytest.mark.parametrize("file", ["model.xml", "model.bin", "signatures.pb"])
def test_a_version_that_lacks_one_of_its_files_is_incomplete(model: ExportedModel, tmp_path: Path, file: str) -> None:
    version = Path(shutil.copytree(model.version, tmp_path / "1", copy_function=os.symlink))
    assert Version(1, version).is_complete
    (version / FOLDER / file).unlink()
    assert not Version(1, version).is_complete


def test_a_version_whose_ir_has_other_scores_fails_verification(
    tiny_export: Path, tiny_weights: Path, tmp_path: Path
) -> None:
    version = Path(shutil.copytree(tiny_export, tmp_path / "1"))
    shutil.rmtree(version / FOLDER)
    other = openvino_ir.convert(TINY, source_of(untrained_network(TINY)), 1000)
    openvino_ir.write(TINY, other, saved_model.signatures(version), version)
    with pytest.raises(VerificationFailed, match=r"\(OpenVINO IR\) differ from the network's"):
        verification.verify(version, expectation(TINY, random_network(TINY, tiny_weights)))


@pytest.mark.usefixtures("tiny_weights")
def test_a_full_disk_raises_the_same_error_as_for_any_other_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def save_model(*_: object, **__: object) -> None:
        raise RuntimeError("basic_ios::clear: iostream error")  # OpenVINO's message when the disk is full

    monkeypatch.setattr("openvino.save_model", save_model)
    with pytest.raises(OSError, match="No space left"):
        openvino_ir.write(TINY, openvino.Model([], [], "empty"), MetaGraphDef(), tmp_path)
