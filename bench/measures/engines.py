"""Images per second of the model server's engines, under direct calls."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from typing import Final

from bench import generators
from bench.measures import NO_REAL_MODELS
from bench.row import Row, at_least
from bench.runs import interleave
from bench.session import Session
from deploy.local.ports import HOST, free_ports
from harness.process import PYTHON, Process
from harness.stack import ACCURATE_MODEL, FAST_MODEL

TENSORFLOW: Final = "tensorflow"
OPENVINO: Final = "openvino"
FLAGS: Final = {
    TENSORFLOW: ["--engine=tensorflow"],
    OPENVINO: ["--engine=openvino"],
    "openvino in float32": ["--engine=openvino", "--inference_precision=float32"],
}
"""OpenVINO computes in bfloat16 by default where the processor supports it, TensorFlow in float32."""


@dataclass(frozen=True, slots=True)
class Model:
    name: str
    display_name: str
    calls: int
    """Concurrent Predicts, as many as the proxy or the worker sends."""
    batch: int
    """Images in each Predict."""
    target: float
    """OpenVINO's images per second, as a multiple of TensorFlow's."""


MODELS: Final = (Model(FAST_MODEL, "MobileNetV2", 4, 1, 3.0), Model(ACCURATE_MODEL, "InceptionV3", 2, 8, 1.8))


def on_real_models(session: Session) -> list[Row]:
    rows = []
    for model in MODELS:
        title = f"images per second of the OpenVINO engine, relative to TensorFlow's, {model.display_name}"
        if session.models is None:
            rows.append(Row(title, "×", None, at_least(model.target), NO_REAL_MODELS))
        elif find_spec("openvino") is None:
            rows.append(Row(title, "×", None, at_least(model.target), "OpenVINO is not installed"))
        else:
            runs = _images_per_second(session, model)
            session.series[f"engines, {model.display_name}"] = runs
            ratios = [new / old for old, new in zip(runs[TENSORFLOW], runs[OPENVINO], strict=True)]
            rows.append(Row.of(title, "×", ratios, at_least(model.target)))
            rows += [
                Row.of(f"images per second, {model.display_name}, {engine} engine", "/s", rates)
                for engine, rates in runs.items()
            ]
    return rows


def _images_per_second(session: Session, model: Model) -> Mapping[str, list[float]]:
    def run(address: str) -> float:
        return generators.predict(
            address, model.name, session.small.jpeg,
            clients=model.calls, batch=model.batch, seconds=2 * session.profile.seconds,
        ).per_second  # fmt: skip

    with ExitStack() as stack:
        addresses = {engine: stack.enter_context(_model_server(session, model.name, engine)) for engine in FLAGS}
        return interleave(session.profile.rounds, {engine: partial(run, addresses[engine]) for engine in addresses})


@contextmanager
def _model_server(session: Session, model: str, engine: str) -> Iterator[str]:
    """Yield the server's address. The load generator waits until the server listens."""
    [port] = free_ports(18_500 + 50 * list(FLAGS).index(engine))
    command = [PYTHON, "-m", "local_tf_serving", f"--host={HOST}", f"--port={port}", *FLAGS[engine]]
    command += [f"--model_name={model}", f"--model_base_path={session.models}/{model}"]
    with Process(command, {}, session.directory / f"{model}-{engine}.log"):
        yield f"{HOST}:{port}"
