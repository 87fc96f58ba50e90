"""From an architecture to a published version. Importing this starts TensorFlow."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import keras
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from imagenet_export import network, openvino_ir, saved_model, serving_graph, signature, verification, warmup
from imagenet_export.architecture import Architecture
from imagenet_export.fingerprint import fingerprint, tensorflow_version
from imagenet_export.fusing import fuse
from imagenet_export.precision import in_bfloat16
from imagenet_export.progress import Progress
from imagenet_export.publishing import ModelFolder, Version
from imagenet_export.record import ExportRecord, Precision
from imagenet_export.weights import LocalWeights, Origin


@dataclass(frozen=True)
class Wishes:
    allow_untrained: bool = False
    force: bool = False
    precision: Precision = "float32"


def export(
    architecture: Architecture, folder: ModelFolder, local: LocalWeights, wishes: Wishes, progress: Progress
) -> Version:
    """Publish the next version into `folder`, which is locked. Raises ExportError.

    Untrained weights never replace trained ones unasked: then the newest version is returned as it is.
    """
    unfused, origin = network.build(architecture, local, allow_untrained=wishes.allow_untrained, progress=progress)
    newest = folder.newest()
    if newest and newest.record and newest.record.trained and not origin.trained and not wishes.force:
        progress.say(f"version {newest.number} has {newest.record.weights_in_words}: kept, for now there are no others")
        return newest
    with progress.step("folding batch normalisation into the convolutions"):
        fused = fuse(unfused)
    computed = in_bfloat16(fused) if wishes.precision == "bfloat16" else fused
    model = _servable(architecture, computed, origin, progress)

    def write(version: Path) -> None:
        with progress.step("writing and checking the version"):
            saved_model.write(model, version)
            openvino_ir.write(architecture, fused, model, version)
            _record(architecture, origin, wishes.precision).write(version)
            warmup.write(architecture, version)
            verification.check(architecture, version, unfused, wishes.precision)

    return folder.publish(write)


def _servable(architecture: Architecture, computed: keras.Model, origin: Origin, progress: Progress) -> SavedModel:
    with progress.step("freezing variables into constants"):
        serve = serving_graph.serving_function(architecture, computed)
        return saved_model.freeze(serve, signature.scores_node(trained=origin.trained))


def _record(architecture: Architecture, origin: Origin, precision: Precision) -> ExportRecord:
    return ExportRecord(
        model=architecture.name,
        architecture=architecture.constructor,
        input_size=architecture.input_size,
        weights=origin.weights,
        weights_source=origin.source,
        weights_identity=origin.identity,
        fingerprint=fingerprint(architecture, origin.identity, precision),
        tensorflow=tensorflow_version(),
        created_at=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        precision=precision,
    )
