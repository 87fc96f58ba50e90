"""The client of the model servers, over TensorFlow Serving's gRPC API, for the proxy and the worker.

A call passes through these files, in this order:

    classifier          the Protocols that the proxy and the worker call; test doubles implement them too
    served_classifier   implements `Classifier`: one Predict for a batch of payloads, of the version that was checked
    predict             the Predict call
    channel             the gRPC connection to the replicas of a model
    protos              TensorFlow Serving's protobuf modules and stubs
    errors              the errors of a call, by gRPC status code
    prediction          the best labels of one payload

Beside them, these make sure that the served model is the expected one:

    contract            what is expected of a model, and how a served version differs from it
    labels              the names of the classes, read from a file
    contract_check      checks each version before its answers count
    contract_log        logs each version, and what is wrong with it
    model_status        implements `Availability`, and reads the signatures of the served version
"""

from tf_serving_client.channel import open_channel
from tf_serving_client.classifier import Availability, Classifier, ContractState
from tf_serving_client.contract import ModelContract, ModelDescription, ServedModel
from tf_serving_client.contract_check import ContractCheck
from tf_serving_client.errors import (
    ContractBroken,
    InputRejected,
    ModelBusy,
    ModelError,
    ModelMismatch,
    ModelTooSlow,
    ModelUnavailable,
    NonFiniteScores,
)
from tf_serving_client.labels import BadLabels, read_labels
from tf_serving_client.model_status import ModelStatus
from tf_serving_client.prediction import Prediction
from tf_serving_client.served_classifier import ServedClassifier

__all__ = [
    "Availability",
    "BadLabels",
    "Classifier",
    "ContractBroken",
    "ContractCheck",
    "ContractState",
    "InputRejected",
    "ModelBusy",
    "ModelContract",
    "ModelDescription",
    "ModelError",
    "ModelMismatch",
    "ModelStatus",
    "ModelTooSlow",
    "ModelUnavailable",
    "NonFiniteScores",
    "Prediction",
    "ServedClassifier",
    "ServedModel",
    "open_channel",
    "read_labels",
]
