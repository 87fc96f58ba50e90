"""Small models such as users bring, with random weights that distinguish the photographs."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np
import pytest
import tensorflow as tf

from harness.models import PHOTOGRAPHS
from model_export import examples
from model_export.applications import Scale
from model_export.command import main

SIZE: Final = 48
CLASSES: Final = 10
LABELS: Final = ["plane", "car", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]

Scores = np.ndarray[Any, np.dtype[np.float32]]


def network(*, scale: Scale = "tf", is_softmax: bool = False, seed: int = 1, batch: int | None = None) -> keras.Model:
    """Float32 [N, SIZE, SIZE, 3], scaled like this, → 10 logits, or softmax scores."""
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((SIZE, SIZE, 3), batch_size=batch)
    convolution = keras.layers.Conv2D(16, 5, strides=2, use_bias=False)
    x = convolution(inputs)
    x = keras.layers.ReLU()(keras.layers.BatchNormalization()(x))
    x = keras.layers.Flatten()(keras.layers.AveragePooling2D(4)(x))
    outputs = keras.layers.Dense(CLASSES, activation="softmax" if is_softmax else None)(x)
    model = keras.Model(inputs, outputs)
    model(np.zeros((batch or 1, SIZE, SIZE, 3), np.float32))  # Keras exports only models that were called
    if scale in ("caffe", "none"):
        convolution.set_weights([convolution.get_weights()[0] / 100.0])  # otherwise scores are 0 or 1
    return model


def text_classifier(seed: int = 1) -> keras.Model:
    """One string [N, 1] → softmax scores of three classes."""
    keras.utils.set_random_seed(seed)
    vectorization = keras.layers.TextVectorization(max_tokens=100, output_sequence_length=12)
    vectorization.adapt([text.decode() for text in texts()])
    inputs = keras.Input((1,), dtype="string")
    x = keras.layers.Embedding(100, 8, embeddings_initializer=keras.initializers.RandomNormal(stddev=2.0))(
        vectorization(inputs)
    )
    outputs = keras.layers.Dense(3, activation="softmax")(keras.layers.GlobalAveragePooling1D()(x))
    return keras.Model(inputs, outputs)


class Channels(tf.Module):  # type: ignore[misc] # TensorFlow is not analysed
    """A SavedModel as other frameworks' converters write it: NCHW, and a batch of one only, if `batch` is 1."""

    def __init__(self, model: keras.Model, batch: int | None) -> None:
        super().__init__()
        self.model = model
        self.serve = tf.function(
            lambda images: {"logits": model(tf.transpose(images, [0, 2, 3, 1]))},
            input_signature=[tf.TensorSpec([batch, 3, SIZE, SIZE], tf.float32, name="images")],
        )

    def save(self, path: Path) -> None:
        tf.saved_model.save(self, str(path), signatures=self.serve)


def photographs() -> list[bytes]:
    return [*(path.read_bytes() for path in PHOTOGRAPHS), *examples.photographs()]


def texts() -> list[bytes]:
    return [text.encode() for text in examples.TEXTS]


@contextmanager
def export_environment() -> Iterator[None]:
    """The command would set these for the rest of the process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TF_CPP_MIN_LOG_LEVEL", "2")
        patch.setenv("TF_ENABLE_ONEDNN_OPTS", "1")
        patch.setenv("KERAS_BACKEND", "tensorflow")
        yield


def run_export(source: object, models_dir: Path, *options: str, name: str = "own") -> int:
    with export_environment():
        return main([str(source), "--name", name, "--models-dir", str(models_dir), *options])


def top_five(scores: Scores) -> list[list[int]]:
    order: list[list[int]] = np.argsort(-scores, axis=1)[:, :5].tolist()
    return order
