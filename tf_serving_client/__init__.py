"""The client of the model servers, over TensorFlow Serving's gRPC API, for the proxy and the worker.

A call passes through these files, in this order:

    classifier          the Protocols that the proxy and the worker call; test doubles implement them too
    image_classifier    implements `Classifier`: one Predict for a batch of images
    channel             the gRPC connection to the replicas of a model
    protos              TensorFlow Serving's protobuf modules and stubs
    errors              the errors of a call, by gRPC status code
    prediction          the best labels of one image
    labels              the names of the classes, read from a file

Beside them, `model_status` implements `Availability` and reads the signature of the served version, and `model_log`
logs that version at startup.
"""

from tf_serving_client.channel import open_channel
from tf_serving_client.classifier import Availability, Classifier
from tf_serving_client.errors import (
    ContractBroken,
    ImageRejected,
    ModelBusy,
    ModelError,
    ModelTooSlow,
    ModelUnavailable,
    NonFiniteScores,
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
    "NonFiniteScores",
    "Prediction",
    "log_served_models",
    "open_channel",
    "read_labels",
]
