"""Two small models under the model contract, so that thousands of jobs fit into minutes.

They are real SavedModels behind the real model server: they decode the image and give 1001 scores. What they see is the
colour of its first pixel, so each image has the answer it must get, and an answer that belongs to another image shows.

`python -m tests.chaos.small_models DIRECTORY` writes them; `exported()` runs that once for each state of this file.
"""

import hashlib
import io
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from harness.process import PYTHON, ROOT

FAST, ACCURATE = "mobilenet_v2", "inception_v3"
CLASSES: Final = 1000
LABELS: Final = 1 + CLASSES
SHIFT: Final = {FAST: 0, ACCURATE: 500}
"""The accurate model has another opinion of each image than the fast one."""
NONSENSE: Final = 255
"""Number 0 with this much blue has no finite score for the accurate model, as a number format too small may have it."""
PNG: Final = b"\x89PNG\r\n\x1a\n"


def image_of(number: int, *, blue: int = 0, comment: str = "") -> bytes:
    """A PNG that is of class `number`, modulo `CLASSES`; `comment` can be found in its bytes."""
    number %= CLASSES
    text = PngInfo()
    if comment:
        text.add_text("Comment", comment)
    out = io.BytesIO()
    Image.new("RGB", (8, 8), (number % 256, number // 256, blue)).save(out, "PNG", pnginfo=text)
    return out.getvalue()


def index_of(number: int, model: str) -> int:
    """Which of the 1001 labels `model` gives to `image_of(number)`. Nothing is ever index 0, the background."""
    return 1 + (number + SHIFT[model]) % CLASSES


def exported() -> Path:
    """Return the directory with both models; version 1 of each is there."""
    digest = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:12]
    directory = ROOT / "var" / "chaos-models" / digest
    if not directory.exists():
        unfinished = directory.with_name(f"{digest}-unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        subprocess.run(
            [PYTHON, "-m", "tests.chaos.small_models", unfinished], cwd=ROOT, check=True, capture_output=True
        )
        unfinished.rename(directory)
    return directory


def publish(version: int, source: Path, base_path: Path) -> None:
    """Make `source` the version of that number, atomically."""
    copy = shutil.copytree(source, base_path / f"copying-{version}")
    Path(copy).rename(base_path / str(version))


def export(model: str, directory: Path) -> None:
    import tensorflow as tf  # heavy, and only the process that exports needs it

    def scores_of(encoded: Any) -> Any:
        colour = tf.cast(tf.io.decode_image(encoded, channels=3, expand_animations=False)[0, 0], tf.int32)
        is_nonsense = tf.logical_and(tf.reduce_all(colour == [0, 0, NONSENSE]), model == ACCURATE)
        index = 1 + (colour[0] + 256 * colour[1] + SHIFT[model]) % CLASSES
        return tf.nn.softmax(10.0 * tf.one_hot(index, LABELS) + tf.where(is_nonsense, float("nan"), 0.0))

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="image_bytes")])  # type: ignore[untyped-decorator]
    def serve(image_bytes: Any) -> dict[str, Any]:
        row = tf.TensorSpec([LABELS], tf.float32)
        return {"scores": tf.map_fn(scores_of, image_bytes, fn_output_signature=row)}

    tf.saved_model.save(tf.Module(), str(directory / model / "1"), signatures={"serving_default": serve})


if __name__ == "__main__":
    for name in SHIFT:
        export(name, Path(sys.argv[1]))
