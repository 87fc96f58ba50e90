"""The same network for an engine without TensorFlow, beside the SavedModel."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tensorflow.core.protobuf.meta_graph_pb2 import MetaGraphDef
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from imagenet_export import network, openvino_ir, saved_model, untrained, verification
from imagenet_export.errors import ExportUnsound
from imagenet_export.publishing import Version
from tests.imagenet_export import images
from tests.imagenet_export.networks import Exported

pytestmark = pytest.mark.timeout(300)  # the first test to ask for a model may have to export it
FOLDER = Path("assets.extra", "openvino")


def test_it_answers_as_the_saved_model_does(exported: Exported) -> None:
    four = images.four_unlike()
    size = exported.architecture.input_size
    pixels = np.stack([images.resized(Image.fromarray(images.rgb(image)), size) for image in four])
    scores = openvino_ir.predict(exported.version, pixels)
    np.testing.assert_allclose(scores, exported.served.predict(four), atol=1e-3)


def test_it_has_the_signatures_of_the_saved_model_and_nothing_else_of_it(exported: Exported) -> None:
    signatures = MetaGraphDef.FromString((exported.version / FOLDER / "signatures.pb").read_bytes())
    assert signatures.signature_def == exported.served.signatures
    assert not signatures.graph_def.node


@pytest.mark.parametrize("file", ["model.xml", "model.bin", "signatures.pb"])
def test_a_version_without_a_file_of_it_is_not_complete(exported: Exported, tmp_path: Path, file: str) -> None:
    version = Path(shutil.copytree(exported.version, tmp_path / "1", copy_function=shutil.copyfile))
    assert Version(1, version).complete
    (version / FOLDER / file).unlink()
    assert not Version(1, version).complete


def test_one_that_answers_otherwise_is_not_published(exported: Exported, tmp_path: Path) -> None:
    version = Path(shutil.copytree(exported.version, tmp_path / "1", copy_function=shutil.copyfile))
    other = network.constructor(exported.architecture)(weights=None)
    untrained.initialise(other)  # the exported one differs in its batch normalisations
    shutil.rmtree(version / FOLDER)
    openvino_ir.write(exported.architecture, other, saved_model.read(version), version)
    with pytest.raises(ExportUnsound, match="differ from the network's"):
        verification.check(exported.architecture, version, exported.network)


def test_a_full_disk_is_the_error_any_other_writer_raises(
    exported: Exported, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # what OpenVINO says of a full disk
    def full(*_: object, **__: object) -> None:
        raise RuntimeError("basic_ios::clear: iostream error")

    monkeypatch.setattr("openvino.save_model", full)
    with pytest.raises(OSError, match="No space left"):
        openvino_ir.write(exported.architecture, exported.network, SavedModel(), tmp_path)
