"""Builds a small SavedModel with one signature for each behaviour under test. TensorFlow 1's builder takes 0.1 s."""

import shutil
from pathlib import Path
from typing import Any, Final

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1
from tensorflow_serving.apis.predict_pb2 import PredictRequest
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

ECHOED: Final = {
    "float": tf.float32,
    "double": tf.float64,
    "int8": tf.int8,
    "int16": tf.int16,
    "int32": tf.int32,
    "int64": tf.int64,
    "uint8": tf.uint8,
    "uint16": tf.uint16,
    "uint32": tf.uint32,
    "uint64": tf.uint64,
    "bool": tf.bool,
    "half": tf.float16,
    "bfloat16": tf.bfloat16,
    "complex64": tf.complex64,
    "complex128": tf.complex128,
    "string": tf.string,
}
"""Each dtype has a signature `echo_<name>`, whose output `value` equals its input `value`, of any shape."""


def build(directory: Path, version: int) -> Path:
    """Write the model to `directory/version`, atomically, and return that path.

    serving_default   image_bytes [N] -> scores [N, 3]: the mean of each colour
    arithmetic        x, y [N, 2] -> sum [N, 2], text [N], raw_bytes [N]: the row sums of x; 0xFF precedes raw_bytes
    total             x [N, 2] -> total []
    uneven            x [N, 2] -> double [N, 2], one [1]
    defaults          x [N, 2], factor [] = 10 -> product [N, 2]; uses a variable
    version           x [N] -> version [N]: `version`
    number            text [N] -> number [N]: an op whose error quotes its input
    block             path [] -> done []: creates `path`.running, then blocks until a process reads the FIFO `path`
    loop              rounds [] -> rounds []: a loop that a session can cancel
    echo_<dtype>      value -> value
    """
    unfinished = directory / f"building-{version}"
    with tf.Graph().as_default(), v1.Session() as session:
        signatures = {
            "serving_default": _signature({"image_bytes": _input(tf.string, [None])}, _mean_colours),
            "arithmetic": _signature({"x": _input(tf.float32, [None, 2]), "y": _input(tf.float32, [None, 2])}, _sums),
            "total": _signature({"x": _input(tf.float32, [None, 2])}, lambda x: {"total": tf.reduce_sum(x)}),
            "uneven": _signature(
                {"x": _input(tf.float32, [None, 2])}, lambda x: {"double": 2 * x, "one": tf.ones([1])}
            ),
            "defaults": _signature({"x": _input(tf.float32, [None, 2]), "factor": _input(tf.float32, [])}, _product),
            "version": _signature({"x": _input(tf.float32, [None])}, lambda x: _version(x, version)),
            "number": _signature({"text": _input(tf.string, [None])}, _number),
            "block": _signature({"path": _input(tf.string, [])}, _block),
            "loop": _signature({"rounds": _input(tf.int64, [])}, _loop),
        }
        for name, dtype in ECHOED.items():
            signatures[f"echo_{name}"] = _signature({"value": _input(dtype, None)}, _echo)
        signatures["defaults"].defaults["factor"].CopyFrom(tf.make_tensor_proto(10.0, tf.float32))
        session.run(v1.global_variables_initializer())
        builder = v1.saved_model.Builder(str(unfinished))
        builder.add_meta_graph_and_variables(session, ["serve"], signature_def_map=signatures)
        builder.save()
    return unfinished.rename(directory / str(version))


def build_with_function(directory: Path, version: int) -> Path:
    """Save a model with TensorFlow 2: a function, and a variable that an op of the graph restores."""
    module = tf.Module()
    module.factor = tf.Variable(3.0)

    triple = tf.function(
        lambda x: {"tripled": x * module.factor}, input_signature=[tf.TensorSpec([None], tf.float32, name="x")]
    )
    unfinished = directory / f"building-{version}"
    tf.saved_model.save(module, str(unfinished), signatures={"serving_default": triple})
    return unfinished.rename(directory / str(version))


def copy(source: Path, directory: Path, version: int) -> Path:
    """Publish a copy of a built version, atomically."""
    return Path(shutil.copytree(source, directory / f"copying-{version}")).rename(directory / str(version))


def add_warmup(version: Path, *requests: PredictRequest) -> None:
    extra = version / "assets.extra"
    extra.mkdir()
    with tf.io.TFRecordWriter(str(extra / "tf_serving_warmup_requests")) as writer:
        for request in requests:
            log = PredictionLog()
            log.predict_log.request.CopyFrom(request)
            writer.write(log.SerializeToString())


def _input(dtype: Any, shape: list[int | None] | None) -> Any:
    return v1.placeholder(dtype, shape)


def _signature(inputs: dict[str, Any], compute: Any) -> Any:
    outputs = compute(**inputs)
    return v1.saved_model.predict_signature_def(inputs, outputs)


def _mean_colours(image_bytes: Any) -> dict[str, Any]:
    def mean(encoded: Any) -> Any:
        image = tf.io.decode_image(encoded, channels=3, expand_animations=False)
        return tf.reduce_mean(tf.cast(image, tf.float32), axis=[0, 1])

    return {"scores": tf.map_fn(mean, image_bytes, fn_output_signature=tf.TensorSpec([3], tf.float32))}


def _sums(x: Any, y: Any) -> dict[str, Any]:
    text = tf.strings.as_string(tf.reduce_sum(x, axis=1), precision=1)
    raw = tf.strings.join([tf.constant(b"\xff"), text])
    return {"sum": x + y, "text": text, "raw_bytes": raw}


def _product(x: Any, factor: Any) -> dict[str, Any]:
    one = v1.get_variable("one", initializer=np.float32(1))
    return {"product": x * factor * one}


def _version(x: Any, version: int) -> dict[str, Any]:
    return {"version": tf.fill(tf.shape(x), tf.constant(version, tf.int64))}


def _number(text: Any) -> dict[str, Any]:
    return {"number": tf.strings.to_number(text)}


def _block(path: Any) -> dict[str, Any]:
    with tf.control_dependencies([tf.io.write_file(tf.strings.join([path, ".running"]), "")]):
        written = tf.io.write_file(path, "")  # opening a FIFO for writing blocks until it has a reader
    with tf.control_dependencies([written]):
        return {"done": tf.constant(True)}


def _loop(rounds: Any) -> dict[str, Any]:
    (done,) = tf.while_loop(lambda i: i < rounds, lambda i: [i + 1], [tf.constant(0, tf.int64)])
    return {"rounds": done}


def _echo(value: Any) -> dict[str, Any]:
    return {"value": tf.identity(value)}
