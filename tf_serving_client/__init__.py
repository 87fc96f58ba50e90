"""Asks a model over TensorFlow Serving's gRPC API. The only place that knows a protobuf."""

from tf_serving_client.channel import open_channel
from tf_serving_client.classifier import Availability, Classifier
from tf_serving_client.errors import (
    ContractBroken,
    ImageRejected,
    ModelBusy,
    ModelError,
    ModelTooSlow,
    ModelUnavailable,
)
from tf_serving_client.image_classifier import ImageClassifier
from tf_serving_client.labels import BadLabels, read_labels
from tf_serving_client.model_log import log_served_models
from tf_serving_client.model_status import ModelDescription, ModelStatus
from tf_serving_client.prediction import Prediction

__all__ = [
    "Availability",
    "BadLabels",
    "Classifier",
    "ContractBroken",
    "ImageClassifier",
    "ImageRejected",
    "ModelBusy",
    "ModelDescription",
    "ModelError",
    "ModelStatus",
    "ModelTooSlow",
    "ModelUnavailable",
    "Prediction",
    "log_served_models",
    "open_channel",
    "read_labels",
]
