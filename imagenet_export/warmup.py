"""Requests a server replays before it calls a version available, so that the first client does not wait for it.

TensorFlow Serving reads them from `assets.extra/tf_serving_warmup_requests`: a TFRecord file of PredictionLog messages.
"""

import errno
import os
from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

from imagenet_export.architecture import Architecture
from imagenet_export.signature import IMAGE_BYTES, SIGNATURE

_FILE = Path("assets.extra") / "tf_serving_warmup_requests"

_BATCH_SIZES = (1, 8)
"""One image, and a full batch: kernels and memory for both are ready. TensorFlow takes 5 to 10 ms more for the first
batch of a size between them, through MobileNetV2."""


def image() -> bytes:
    """A JPEG of 320 × 240: colours fading into each other."""
    y, x = np.mgrid[0:240, 0:320]
    pixels = np.stack([x * 255 // 319, y * 255 // 239, (x + y) * 255 // 558], axis=-1).astype(np.uint8)
    encoded: bytes = tf.io.encode_jpeg(pixels, quality=90).numpy()
    return encoded


def write(architecture: Architecture, version: Path) -> None:
    path = version / _FILE
    path.parent.mkdir(exist_ok=True)
    try:
        with tf.io.TFRecordWriter(str(path)) as records:
            for size in _BATCH_SIZES:
                records.write(_request(architecture, size).SerializeToString(deterministic=True))
    except tf.errors.ResourceExhaustedError as error:  # TensorFlow's word for ENOSPC
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path)) from error


def _request(architecture: Architecture, size: int) -> PredictionLog:
    log = PredictionLog()
    request = log.predict_log.request
    request.model_spec.name = architecture.name
    request.model_spec.signature_name = SIGNATURE
    request.inputs[IMAGE_BYTES].CopyFrom(tf.make_tensor_proto([image()] * size))
    return log
