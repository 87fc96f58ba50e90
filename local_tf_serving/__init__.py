"""A model server that speaks TensorFlow Serving's gRPC and REST API, for machines that cannot run its image.

    python -m local_tf_serving --port=8500 --rest_api_port=8501 --model_name=m --model_base_path=/models/m

It takes the same flags, serves the same directory layout and returns the same status codes, so a client works with
either server unchanged.

Start and stop:

    __main__            reads the flags, binds the ports, creates the engine, runs the server
    flags               the command line
    ports               binds both ports before a model is loaded
    server              opens the ports when a version is available, and drains requests on SIGTERM

The path of a request:

    grpc_api            translates gRPC calls and errors
    rest_api            translates HTTP requests and errors: rest_server runs it, json_request, json_response and
                        json_tensor convert the bodies
    data_plane          implements Predict, GetModelMetadata and GetModelStatus for both protocols
    servables           tracks the state of each version and the requests that use it
    predictor           runs a request on one loaded version: signature checks it, tensor converts its tensors
    engine              the interface of an inference engine
    openvino_engine     runs the OpenVINO IR that the export writes beside a SavedModel; pixels decodes the images
    tensorflow_engine   runs any SavedModel; stderr_filter hides what TensorFlow prints on import
    automatic_engine    chooses one of these two for each version; the default

Loading and unloading of versions, in a thread of its own:

    manager             polls the base path; loads, swaps and unloads versions
    versions            lists the versions in the base path
    warmup              replays the requests that are stored with a version, before it is available
    memory              returns freed memory to the system

Used everywhere: errors (status codes and exceptions), engines (creates an engine by its name), protos (imports
TensorFlow's messages without TensorFlow).
"""
