"""The model server's engines against each other, asked directly: images a second."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from importlib.util import find_spec
from typing import Final

from bench import generators
from bench.process import Process
from bench.row import Row, at_least
from bench.session import Session
from bench.spread import interleaved
from deploy.local.ports import HOST, free_ports

REFERENCE, FAST, EXACT = "tensorflow", "openvino", "openvino in float32"
FLAGS: Final = {
    REFERENCE: ["--engine=tensorflow"],
    FAST: ["--engine=openvino"],
    EXACT: ["--engine=openvino", "--inference_precision=float32"],
}
"""OpenVINO by itself takes bfloat16 where the processor has it. TensorFlow's model is float32, as it is exported."""
ASKED: Final = {"mobilenet_v2": ("MobileNetV2", 4, 1, 3.0), "inception_v3": ("InceptionV3", 2, 8, 1.8)}
"""By model: its name for people, Predicts at once and images in each, as the proxy and the worker ask; and the ratio
that is asked for."""


def on_real_models(session: Session) -> list[Row]:
    rows = []
    for model, (name, clients, batch, ratio) in ASKED.items():
        asked = f"OpenVINO engine against TensorFlow's, images a second: {name}"
        if session.models is None:
            rows.append(Row(asked, "×", None, at_least(ratio), "the real models are not measured"))
        elif find_spec("openvino") is None:
            rows.append(Row(asked, "×", None, at_least(ratio), "there is no OpenVINO on this machine"))
        else:
            runs = _images_a_second(session, model, clients, batch)
            session.series[f"engines, {name}"] = runs
            ratios = [new / old for old, new in zip(runs[REFERENCE], runs[FAST], strict=True)]
            rows.append(Row.of(asked, "×", ratios, at_least(ratio)))
            rows += [Row.of(f"images a second, {name}, {engine} engine", "/s", runs[engine]) for engine in runs]
    return rows


def _images_a_second(session: Session, model: str, clients: int, batch: int) -> Mapping[str, list[float]]:
    def run(address: str) -> float:
        return generators.predict(
            address, model, session.small.jpeg, clients=clients, batch=batch, seconds=2 * session.effort.seconds
        ).per_second

    with ExitStack() as stack:
        addresses = {engine: stack.enter_context(_model_server(session, model, engine)) for engine in FLAGS}
        return interleaved(session.effort.rounds, {engine: partial(run, addresses[engine]) for engine in addresses})


@contextmanager
def _model_server(session: Session, model: str, engine: str) -> Iterator[str]:
    """It has as long to come up as a Predict has to be answered."""
    [port] = free_ports(18_500 + 50 * list(FLAGS).index(engine))
    command = [sys.executable, "-m", "local_tf_serving", f"--host={HOST}", f"--port={port}", *FLAGS[engine]]
    command += [f"--model_name={model}", f"--model_base_path={session.models}/{model}"]
    server = Process(f"{model}, {engine}", command, session.directory / f"{model}-{engine}.log", {})
    try:
        yield f"{HOST}:{port}"
    finally:
        server.stop()
