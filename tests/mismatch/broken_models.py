"""Versions that do not fit, made from a version that does: only the signature that the server reports differs."""

import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from tensorflow.core.framework.types_pb2 import DT_FLOAT, DT_INT64, DT_STRING
from tensorflow.core.protobuf.meta_graph_pb2 import MetaGraphDef, SignatureDef

SIGNATURES: Final = Path("assets.extra", "openvino", "signatures.pb")
GRAPH: Final = SIGNATURES.with_name("model.xml")
VERSION: Final = re.compile(r"(removed-)?\d+$")
Break = Callable[[MetaGraphDef], None]


def publish(good: Path, base_path: Path, breaks: Break | None = None) -> int:
    """Publish a copy of the version `good`, broken or not, as the newest version. Return its number."""
    number = 1 + max(
        int(child.name.removeprefix("removed-")) for child in base_path.iterdir() if VERSION.match(child.name)
    )
    copy = Path(shutil.copytree(good, base_path / f"copying-{number}"))
    if breaks:
        graph = MetaGraphDef.FromString((copy / SIGNATURES).read_bytes())
        breaks(graph)
        (copy / SIGNATURES).write_bytes(graph.SerializeToString())
    copy.rename(base_path / str(number))
    return number


def publish_corrupt(good: Path, base_path: Path) -> int:
    """Publish a version that no server can load."""
    corrupt = Path(shutil.copytree(good, base_path / "corrupt"))
    (corrupt / GRAPH).write_bytes(b"")
    number = publish(corrupt, base_path)
    shutil.rmtree(corrupt)
    return number


def _default(graph: MetaGraphDef) -> SignatureDef:
    return graph.signature_def["serving_default"]


def _pixels_in(graph: MetaGraphDef) -> None:
    _default(graph).inputs["image_bytes"].dtype = DT_FLOAT


def _two_inputs(graph: MetaGraphDef) -> None:
    _default(graph).inputs["mask"].dtype = DT_STRING
    _default(graph).inputs["mask"].tensor_shape.dim.add(size=-1)


def _classes_out(graph: MetaGraphDef) -> None:
    _default(graph).outputs["scores"].dtype = DT_INT64


def _vector_out(graph: MetaGraphDef) -> None:
    del _default(graph).outputs["scores"].tensor_shape.dim[1]


def _ten_scores(graph: MetaGraphDef) -> None:
    _default(graph).outputs["scores"].tensor_shape.dim[1].size = 10


def _two_signatures(graph: MetaGraphDef) -> None:
    for name in ("first", "second"):
        graph.signature_def[name].CopyFrom(_default(graph))
    del graph.signature_def["serving_default"]


def _failing_predict(graph: MetaGraphDef) -> None:
    """The graph has no output of this name, so that every Predict fails."""
    _default(graph).outputs["other"].CopyFrom(_default(graph).outputs["scores"])
    del _default(graph).outputs["scores"]


BROKEN: Final[Mapping[str, tuple[Break, str]]] = {
    "input dtype": (_pixels_in, "takes 'image_bytes' float32 [N]"),
    "number of inputs": (_two_inputs, "takes 2 tensors (image_bytes, mask)"),
    "output dtype": (_classes_out, "returns 'scores' int64 [N, 1001]"),
    "output rank": (_vector_out, "returns 'scores' float32 [N]"),
    "number of scores": (_ten_scores, "returns 10 scores, and there are 1001 labels"),
    "signature names": (_two_signatures, "several signatures fit: first, second"),
    "failing predict": (_failing_predict, "fails on a known-good input (UNKNOWN)"),
}
"""By what is wrong: how to break a version, and what the log and the response say."""
