"""A model server that speaks TensorFlow Serving's gRPC and REST API, for machines without its image.

    python -m local_tf_serving --port=8500 --rest_api_port=8501 --model_name=m --model_base_path=/models/m

It takes the same flags, serves the same directory and answers with the same status codes, so either can stand in for
the other with no change in a client. One request passes these files, in this order:

    grpc_api, rest_api     translate a protocol, and nothing else
    data_plane             what a request means: which version, which signature, which tensors
    servables              who may use which version now
    predictor              one loaded version: checks the request against a signature and runs it
    engine                 the seam to what computes
    openvino_engine        computes the IR that the export writes beside a SavedModel; images are Pillow's. The default
    tensorflow_engine      the reference, and for any other SavedModel; automatic_engine takes the one that fits

`manager` works beside them, in a thread of its own: it watches the base path, loads, warms up, swaps and unloads.
"""
