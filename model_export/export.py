"""The steps of one export, from a recipe to a published version. Importing this starts TensorFlow."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import keras
import openvino

from model_export import (
    examples,
    labels,
    network,
    onnx_model,
    openvino_ir,
    saved_model,
    serving_graph,
    signature,
    source,
    verification,
    warmup,
)
from model_export.errors import IrUnsupported
from model_export.fingerprint import fingerprint, tensorflow_version
from model_export.progress import Progress
from model_export.publishing import ModelFolder, Version
from model_export.recipe import Location, Recipe
from model_export.record import IR_FILES, SAVED_MODEL_FILES, ExportRecord, Precision
from model_export.source import Source
from model_export.verification import Expectation
from model_export.weights import LocalWeights, Origin, origin_of_own


@dataclass(frozen=True, slots=True)
class ExportOptions:
    allow_untrained: bool = False
    force: bool = False
    precision: Precision = "float32"


@dataclass(frozen=True, slots=True)
class _Export:
    recipe: Recipe
    """With the size that the source has."""
    origin: Origin
    expectation: Expectation
    made: ExportRecord
    write_model: Callable[[Path], None] | None
    """Writes the SavedModel; None if there can't be one."""
    ir: openvino.Model | None


def export(
    recipe: Recipe,
    location: Location,
    folder: ModelFolder,
    local: LocalWeights | None,
    options: ExportOptions,
    progress: Progress,
) -> Version:
    """Publish the next version into `folder`, whose lock the caller holds. Raises ExportError.

    If only untrained weights are available and the newest version was made by the same recipe with trained ones, it is
    returned unchanged, unless `options.force`.
    """
    keras.config.set_floatx("float32")  # ~/.keras/keras.json may set other defaults
    keras.config.set_image_data_format("channels_last")
    if recipe.kind == "onnx":
        return _publish(_prepare_onnx(recipe, location, options, progress), folder, options, progress)
    if recipe.kind == "application":
        assert local is not None, "applications have local weights"  # noqa: S101 (a bug, not an input)
        built, origin = network.build(
            recipe, location, local, allow_untrained=options.allow_untrained, progress=progress
        )
        if not options.force and (kept := _better_version(recipe, folder, origin, progress)):
            return kept
        loaded = source.of_network(built, recipe.size, options.precision, progress, must_fuse=False)
    else:
        origin, loaded = origin_of_own(location), source.load_own(recipe, location, options.precision, progress)
    with closing(loaded):
        prepared = _prepare(recipe, location, loaded, origin, options, progress)
        return _publish(prepared, folder, options, progress)


def _better_version(recipe: Recipe, folder: ModelFolder, origin: Origin, progress: Progress) -> Version | None:
    newest = folder.newest()
    if newest is None or newest.record is None or not newest.record.is_trained or origin.is_trained:
        return None
    is_older_exporter = newest.record.recipe == "" and newest.record.architecture == recipe.source
    if newest.record.recipe != recipe.digest() and not is_older_exporter:
        return None
    weights = newest.record.weights_description
    progress.print(f"keeping version {newest.number} with {weights}: only untrained weights are available now")
    return newest


def _prepare(
    unsized: Recipe, location: Location, loaded: Source, origin: Origin, options: ExportOptions, progress: Progress
) -> _Export:
    recipe = source.with_size(unsized, loaded)
    with progress.step("asking the source itself about the examples"):
        expectation = verification.ask_source(recipe, loaded, examples.read(recipe, location.examples))
    labels.check(recipe, expectation.classes)
    serve = serving_graph.serving_function(recipe, loaded, expectation.classes)
    if saved_model.can_freeze(serve):
        with progress.step("freezing variables into constants"):
            input_name, node = signature.INPUTS[recipe.input], signature.scores_node(trained=origin.is_trained)
            frozen = saved_model.freeze(serve, input_name, node, expectation.scores.shape[1])

        def write(version: Path) -> None:
            saved_model.write(frozen, version)
    else:

        def write(version: Path) -> None:
            saved_model.write_with_resources(serve, loaded.tracked, version)

    ir = _convert(recipe, loaded, expectation, progress)
    files = [*SAVED_MODEL_FILES, *(IR_FILES if ir is not None else ())]
    return _Export(recipe, origin, expectation, _record(unsized, recipe, origin, options, files), write, ir)


def _convert(recipe: Recipe, loaded: Source, expectation: Expectation, progress: Progress) -> openvino.Model | None:
    if recipe.input != "image":
        progress.print(
            f"no OpenVINO IR, since the input is {recipe.input}: local_tf_serving will use TensorFlow for it"
        )
        return None
    try:
        with progress.step("converting to OpenVINO's IR"):
            return openvino_ir.convert(recipe, loaded, expectation.classes)
    except IrUnsupported as error:
        progress.print(f"no OpenVINO IR ({error}): local_tf_serving will use TensorFlow for it, which is slower")
        return None


def _prepare_onnx(unsized: Recipe, location: Location, options: ExportOptions, progress: Progress) -> _Export:
    with progress.step(f"loading {location.source}"):
        loaded, recipe = onnx_model.load(unsized, location)
    with progress.step("asking the source itself about the examples"):
        inputs = examples.read(recipe, location.examples)
        expectation = verification.ask_source(recipe, loaded, inputs)
    labels.check(recipe, expectation.classes)
    origin = origin_of_own(location)
    made = _record(unsized, recipe, origin, options, [*IR_FILES])
    return _Export(recipe, origin, expectation, made, None, onnx_model.convert(recipe, location))


def _publish(prepared: _Export, folder: ModelFolder, options: ExportOptions, progress: Progress) -> Version:
    recipe, expectation = prepared.recipe, prepared.expectation

    def write(version: Path) -> None:
        with progress.step("writing and verifying the version"):
            if prepared.write_model is not None:
                prepared.write_model(version)
            if prepared.ir is not None:
                signatures = (
                    onnx_model.signatures(expectation.scores.shape[1])
                    if prepared.write_model is None
                    else saved_model.signatures(version)
                )
                openvino_ir.write(recipe, prepared.ir, signatures, version)
            example = None if recipe.input == "image" else expectation.inputs[0]
            warmup.write(recipe, version, example)
            labels.write(recipe, version)
            difference = verification.verify(version, expectation, options.precision)
            replace(prepared.made, difference=difference).write(version)
        count = len(expectation.inputs)
        progress.print(
            f"the largest difference of a score from the source's is {difference:.2g}, over {count} examples"
        )

    return folder.publish(write)


def _record(unsized: Recipe, recipe: Recipe, origin: Origin, options: ExportOptions, files: list[str]) -> ExportRecord:
    return ExportRecord(
        model=recipe.name,
        architecture=recipe.source,
        input_size=recipe.size,
        weights=origin.weights,
        weights_source=origin.source,
        weights_identity=origin.identity,
        fingerprint=fingerprint(unsized, origin.identity, options.precision),
        tensorflow=tensorflow_version(),
        created_at=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        precision=options.precision,
        recipe=unsized.digest(),
        files=files,
    )
