"""The steps of one export, from an architecture to a published version. Importing this starts TensorFlow."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import keras
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from imagenet_export import network, openvino_ir, saved_model, serving_graph, signature, verification, warmup
from imagenet_export.architecture import Architecture
from imagenet_export.fingerprint import fingerprint, tensorflow_version
from imagenet_export.fusing import fuse
from imagenet_export.precision import convert_to_bfloat16
from imagenet_export.progress import Progress
from imagenet_export.publishing import ModelFolder, Version
from imagenet_export.record import ExportRecord, Precision
from imagenet_export.weights import LocalWeights, Origin


@dataclass(frozen=True, slots=True)
class ExportOptions:
    allow_untrained: bool = False
    force: bool = False
    precision: Precision = "float32"


def export(
    architecture: Architecture, folder: ModelFolder, local: LocalWeights, options: ExportOptions, progress: Progress
) -> Version:
    """Publish the next version into `folder`, whose lock the caller holds. Raises ExportError.

    If only untrained weights are available and the newest version has trained ones, it is returned unchanged, unless
    `options.force`.
    """
    unfused, origin = network.build(architecture, local, allow_untrained=options.allow_untrained, progress=progress)
    newest = folder.newest()
    if newest and newest.record and newest.record.is_trained and not origin.is_trained and not options.force:
        weights = newest.record.weights_description
        progress.print(f"keeping version {newest.number} with {weights}: only untrained weights are available now")
        return newest
    with progress.step("folding batch normalization into the convolutions"):
        fused = fuse(unfused)
    served = convert_to_bfloat16(fused) if options.precision == "bfloat16" else fused
    model = _freeze(architecture, served, origin, progress)

    def write(version: Path) -> None:
        with progress.step("writing and verifying the version"):
            saved_model.write(model, version)
            openvino_ir.write(architecture, fused, model, version)
            _record(architecture, origin, options.precision).write(version)
            warmup.write(architecture, version)
            verification.verify(architecture, version, unfused, options.precision)

    return folder.publish(write)


def _freeze(architecture: Architecture, served: keras.Model, origin: Origin, progress: Progress) -> SavedModel:
    with progress.step("freezing variables into constants"):
        serve = serving_graph.serving_function(architecture, served)
        return saved_model.freeze(serve, signature.scores_node(trained=origin.is_trained))


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
