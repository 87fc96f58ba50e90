"""Two small models that satisfy the model contract, so that a campaign processes thousands of jobs in minutes.

They are SavedModels with an OpenVINO IR, served by the real model server. They classify an image by the colour of its
first pixel: each image has one correct label, and a label that belongs to another image is detected.

`python -m tests.chaos.small_models DIRECTORY` writes them; `export_once()` runs that once per version of this file.
"""

import hashlib
import io
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from harness.process import PYTHON, ROOT

FAST: Final = "mobilenet_v2"
ACCURATE: Final = "inception_v3"
CLASSES: Final = 1000
LABELS: Final = 1 + CLASSES
OFFSET: Final = {FAST: 0, ACCURATE: 500}
"""Added to an image's class, so that the two models give it different labels."""
SIDE: Final = 8
"""Pixels of an image."""
NAN_BLUE: Final = 255
"""The accurate model returns NaN scores for class 0 with this much blue."""
PNG: Final = b"\x89PNG\r\n\x1a\n"


def image_of(number: int, *, blue: int = 0, comment: str = "") -> bytes:
    """Return a PNG of class `number` modulo `CLASSES`, with `comment` in plain text."""
    number %= CLASSES
    text = PngInfo()
    if comment:
        text.add_text("Comment", comment)
    out = io.BytesIO()
    Image.new("RGB", (SIDE, SIDE), (number % 256, number // 256, blue)).save(out, "PNG", pnginfo=text)
    return out.getvalue()


def index_of(number: int, model: str) -> int:
    """Return the index of the label that `model` gives to `image_of(number)`; it is never 0, the background."""
    return 1 + (number + OFFSET[model]) % CLASSES


def export_once() -> Path:
    """Return a directory with version 1 of both models."""
    digest = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:12]
    directory = ROOT / "var" / "chaos-models" / digest
    if not directory.exists():
        new = directory.with_name(f"{digest}-{os.getpid()}")
        command = [PYTHON, "-m", "tests.chaos.small_models", str(new)]
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
        try:
            new.rename(directory)
        except OSError:  # another process was faster
            shutil.rmtree(new)
    return directory


def publish(version: int, source: Path, base_path: Path) -> None:
    """Publish a copy of `source` as `version`, atomically."""
    copy = shutil.copytree(source, base_path / f"copying-{version}")
    Path(copy).rename(base_path / str(version))


def export(model: str, version: Path) -> None:
    import tensorflow as tf  # slow, and only the exporting process needs it

    def scores_of(colour: Any) -> Any:
        red, green, blue = (tf.cast(colour[:, channel], tf.int32) for channel in range(3))
        has_no_scores = (red + green == 0) & (blue == NAN_BLUE) & (model == ACCURATE)
        index = 1 + (red + 256 * green + OFFSET[model]) % CLASSES
        nan = tf.where(has_no_scores, float("nan"), 0.0)
        return tf.nn.softmax(10.0 * tf.one_hot(index, LABELS) + nan[:, None])

    @tf.function(input_signature=[tf.TensorSpec([None, SIDE, SIDE, 3], tf.float32, name="pixels")])  # type: ignore[untyped-decorator]
    def serve_pixels(pixels: Any) -> dict[str, Any]:
        return {"scores": scores_of(pixels[:, 0, 0])}

    def first_pixel(encoded: Any) -> Any:
        return tf.io.decode_image(encoded, channels=3, expand_animations=False)[0, 0]

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="image_bytes")])  # type: ignore[untyped-decorator]
    def serve(image_bytes: Any) -> dict[str, Any]:
        colours = tf.map_fn(first_pixel, image_bytes, fn_output_signature=tf.TensorSpec([3], tf.uint8))
        return {"scores": scores_of(colours)}

    tf.saved_model.save(tf.Module(), str(version), signatures={"serving_default": serve})
    write_ir(serve_pixels.get_concrete_function(), version)


def write_ir(function: Any, version: Path) -> None:
    """Without the IR, the model server would start TensorFlow, which takes seconds longer than OpenVINO."""
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment] # it would report each import
    import openvino
    from tensorflow.core.protobuf.meta_graph_pb2 import MetaGraphDef
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    from model_export.openvino_ir import FOLDER

    folder = version / FOLDER
    folder.mkdir(parents=True)
    openvino.save_model(openvino.convert_model(function), folder / "model.xml", compress_to_fp16=False)
    saved = SavedModel.FromString((version / "saved_model.pb").read_bytes())
    signatures = MetaGraphDef()
    signatures.signature_def["serving_default"].CopyFrom(saved.meta_graphs[0].signature_def["serving_default"])
    (folder / "signatures.pb").write_bytes(signatures.SerializeToString(deterministic=True))


if __name__ == "__main__":
    for name in OFFSET:
        export(name, Path(sys.argv[1], name, "1"))
