"""The sources of docs/your-own-models.md: their scores, computed without the exporter's graph and the model server."""

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from PIL import Image

from harness.process import ROOT
from model_export import untrained
from model_export.applications import Scale
from tests.model_export import images
from tests.model_export.test_onnx import answers_of
from tests.model_export.test_own_models import softmax

Ranking = list[tuple[str, float]]
"""Labels with their scores, best first."""


def ranking(name: str, own: Path, payload: bytes) -> Ranking:
    """Every label of the source of this model."""
    labels = json.loads(_labels(name, own).read_text("utf-8"))
    return sorted(zip(labels, _scores(name, own, payload).tolist(), strict=True), key=lambda pair: -pair[1])


def _labels(name: str, own: Path) -> Path:
    if name in ("efficientnet_b0", "resnet50"):
        return ROOT / "data" / "imagenet_labels.json"
    return own / ("mood.json" if name.startswith("mood_") else "ten.json")


def _scores(name: str, own: Path, payload: bytes) -> Any:
    match name:
        case "efficientnet_b0":
            return _untrained(keras.applications.EfficientNetB0, keras.applications.efficientnet, "none", payload)
        case "resnet50":
            return _untrained(keras.applications.ResNet50, keras.applications.resnet, "caffe", payload)
        case "ten":
            return softmax(keras.saving.load_model(own / "ten.keras")(_scaled(payload)).numpy())[0]
        case "ten_saved_model":
            loaded = tf.saved_model.load(str(own / name))  # its variables live as long as this name
            return softmax(loaded.serve(_scaled(payload)).numpy())[0]
        case "ten_onnx":
            return softmax(answers_of(own / "ten.onnx", _scaled(payload)))[0]
    return keras.saving.load_model(own / f"{name}.keras")(tf.constant([[payload]])).numpy()[0]


def _untrained(network: Any, module: ModuleType, scale: Scale, image: bytes) -> Any:
    """Of 1000 classes and, before them, the class `background`."""
    source = network(weights=None)
    untrained.initialize(source, scale)
    inputs = module.preprocess_input(_pixels(image, 224))
    return np.pad(source(inputs, training=False).numpy()[0], (1, 0))


def _pixels(image: bytes, size: int) -> Any:
    return images.resized(Image.fromarray(images.rgb(image)), size)[None]


def _scaled(image: bytes) -> Any:
    """To -1…1, which the model of ten classes expects."""
    return _pixels(image, 96) / 127.5 - 1
