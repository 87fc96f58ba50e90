"""TensorFlow Serving's protobuf modules and stubs."""

from tensorflow_protos import stub_tensorflow

with stub_tensorflow():
    from tensorflow.core.framework.tensor_pb2 import TensorProto
    from tensorflow.core.framework.types_pb2 import DT_FLOAT, DT_STRING, DataType
    from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef, TensorInfo
    from tensorflow_serving.apis.get_model_metadata_pb2 import (
        GetModelMetadataRequest,
        GetModelMetadataResponse,
        SignatureDefMap,
    )
    from tensorflow_serving.apis.get_model_status_pb2 import (
        GetModelStatusRequest,
        GetModelStatusResponse,
        ModelVersionStatus,
    )
    from tensorflow_serving.apis.model_service_pb2_grpc import ModelServiceStub
    from tensorflow_serving.apis.predict_pb2 import PredictRequest, PredictResponse
    from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub

__all__ = [
    "DT_FLOAT",
    "DT_STRING",
    "DataType",
    "GetModelMetadataRequest",
    "GetModelMetadataResponse",
    "GetModelStatusRequest",
    "GetModelStatusResponse",
    "ModelServiceStub",
    "ModelVersionStatus",
    "PredictRequest",
    "PredictResponse",
    "PredictionServiceStub",
    "SignatureDef",
    "SignatureDefMap",
    "TensorInfo",
    "TensorProto",
]
