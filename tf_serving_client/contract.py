"""The model contract: one string tensor [N] in, one float32 tensor [N, L] out, under any aliases.

`ModelContract` holds what the settings expect of a model, and `fit` compares it with what a server reports.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Final, Literal, Self

from tf_serving_client.errors import ModelError, ModelMismatch
from tf_serving_client.labels import read_labels
from tf_serving_client.protos import DT_FLOAT, DT_STRING, DataType, SignatureDef, TensorInfo

if TYPE_CHECKING:
    from service_settings import ModelSettings

Scores = Literal["softmax", "logits"]
DEFAULT_SIGNATURE: Final = "serving_default"
UNTRAINED: Final = "untrained"
"""Part of the name of the graph tensor behind the scores in an export with untrained weights. That name is the only
value that an export can choose and that TensorFlow Serving returns to clients."""
EXPECTED: Final = "one string tensor [N] in and one float32 tensor [N, L] out, one score for each of L labels"
EXPORT: Final = "export the model with such a signature"


@dataclass(frozen=True, slots=True)
class ModelDescription:
    """The served version of a model, as its server describes it."""

    version: int
    signatures: Mapping[str, SignatureDef]


@dataclass(frozen=True, slots=True)
class Signature:
    name: str
    input: str
    output: str
    has_other_outputs: bool = False


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A version of a model whose signature fits the contract."""

    version: int
    signature: Signature
    width: int | None
    """The number of scores. None: the signature does not say, and no Predict has shown it yet."""
    labels: Sequence[str] = field(repr=False)
    """One for each score; empty while `width` is None."""
    is_untrained: bool
    """The weights were never trained, so the labels mean nothing."""


@dataclass(frozen=True, slots=True)
class ModelContract:
    model: str
    """The name the model is served under."""
    address: str
    prefix: str = "FAST"
    """Of the names of the model's settings, for messages: FAST or ACCURATE."""
    labels: Sequence[str] | None = field(default=None, repr=False)
    """None: the label of a score is its index."""
    signature: str | None = None
    """None: `serving_default`, or else the only signature that fits."""
    scores: Scores = "softmax"

    @classmethod
    def read(cls, settings: "ModelSettings") -> Self:
        """Read the labels. Raises `BadLabels`."""
        labels = read_labels(settings.labels, settings.labels_variable) if settings.labels else None
        return cls(settings.model, settings.address, settings.prefix, labels, settings.signature, settings.scores)

    def mismatch(self, cause: str, change: str, expected: str = EXPECTED) -> ModelMismatch:
        return ModelMismatch(self.model, cause, expected=expected, change=change)

    def not_a_model_server(self, error: ModelError) -> ModelMismatch:
        return self.mismatch(
            "the server does not speak TensorFlow Serving's gRPC API",
            f"set {self.prefix}_MODEL_ADDRESS, now {self.address}, to the gRPC port of a model server ({error})",
            "GetModelMetadata and Predict",
        )

    def unknown_name(self) -> ModelMismatch:
        return self.mismatch(
            f"the server has no model named {self.model!r}",
            f"set {self.prefix}_MODEL to the name of a model that is served at {self.address}, or serve it there",
            f"a model named {self.model!r}",
        )

    def not_loaded(self, version: int, error: str) -> ModelMismatch:
        return self.mismatch(
            f"the server could not load version {version}" if error else "the server has unloaded every version",
            f"publish a version that can be loaded{f' ({error})' if error else ''}",
            "at least one version that is AVAILABLE",
        )

    def sample_failed(self, served: ServedModel, error: ModelError) -> ModelMismatch:
        code = f" ({error.code.name})" if error.code else ""
        return self.mismatch(
            f"version {served.version} fails on a known-good input{code}",
            f"check the model with this input, the file in TEST_INPUT, or set TEST_INPUT to one that it reads: {error}",
            "finite scores for a known-good input",
        )

    def wrong_shape(self, served: ServedModel, shape: Sequence[int]) -> ModelMismatch:
        return self.mismatch(f"version {served.version} returns scores of shape {[*shape]} for one input", EXPORT)

    def fit(self, description: ModelDescription) -> ServedModel:
        """Choose the signature. Raises `ModelMismatch` if none fits, or not exactly one."""
        signatures = description.signatures
        name = self.signature or self._only_fitting(signatures)
        if name not in signatures:
            cause = f"version {description.version} has no signature {name!r}, only {_list(signatures)}"
            raise self.mismatch(cause, f"set {self.prefix}_SIGNATURE to one of them, or {EXPORT}")
        if problem := _problem(signatures[name]):
            cause = f"the signature {name!r} of version {description.version} {problem}"
            raise self.mismatch(cause, f"{EXPORT}, or set {self.prefix}_SIGNATURE to one that the model has")
        outputs = _score_outputs(signatures[name])
        [(output, info)] = outputs.items()
        [input_] = signatures[name].inputs
        signature = Signature(name, input_, output, len(signatures[name].outputs) > 1)
        width = None if info.tensor_shape.unknown_rank else info.tensor_shape.dim[1].size
        width = None if width is None or width < 0 else width
        served = ServedModel(description.version, signature, width, (), UNTRAINED in info.name)
        return self.with_width(served, width) if width is not None else served

    def with_width(self, served: ServedModel, width: int) -> ServedModel:
        """Add the number of scores. Raises `ModelMismatch` if the labels do not match it."""
        if self.labels is not None and len(self.labels) != width:
            raise self.mismatch(
                f"version {served.version} returns {width} scores, and there are {len(self.labels)} labels",
                f"set {self.prefix}_LABELS to a file with {width} names, or serve the model that the labels belong to",
                f"{len(self.labels)} scores, one for each label",
            )
        if width < 2:
            raise self.mismatch(
                f"version {served.version} returns a single score, as in regression, which is not supported",
                "export the model with a score for each class",
            )
        labels = self.labels if self.labels is not None else index_labels(width)
        return ServedModel(served.version, served.signature, width, labels, served.is_untrained)

    def _only_fitting(self, signatures: Mapping[str, SignatureDef]) -> str:
        fitting = [name for name in sorted(signatures) if not _problem(signatures[name])]
        if DEFAULT_SIGNATURE in fitting or not fitting:
            candidates = [name for name in signatures if signatures[name].inputs]
            return candidates[0] if len(candidates) == 1 else DEFAULT_SIGNATURE
        if len(fitting) > 1:
            raise self.mismatch(
                f"several signatures fit: {_list(fitting)}", f"set {self.prefix}_SIGNATURE to the one to use"
            )
        return fitting[0]


@cache
def index_labels(width: int) -> tuple[str, ...]:
    return tuple(map(str, range(width)))


def _problem(signature: SignatureDef) -> str | None:
    """Return how the signature differs from the contract, as the end of a sentence; None if it fits."""
    if len(signature.inputs) != 1:
        return f"takes {len(signature.inputs)} tensors ({_list(signature.inputs)}): models of several are not supported"
    [(name, info)] = signature.inputs.items()
    if info.dtype != DT_STRING or not _has_rank(info, 1) or not _is_free(info):
        return f"takes {name!r} {_type(info)}"
    scores = _score_outputs(signature)
    if len(scores) == 1:
        return None
    if scores:
        return f"returns several float32 [N, L] tensors ({', '.join(map(repr, sorted(scores)))}): keep one"
    returned = ", ".join(f"{name!r} {_type(info)}" for name, info in sorted(signature.outputs.items()))
    return f"returns {returned or 'nothing'}"


def _score_outputs(signature: SignatureDef) -> dict[str, TensorInfo]:
    outputs = signature.outputs.items()
    return {name: info for name, info in outputs if info.dtype == DT_FLOAT and _has_rank(info, 2)}


def _has_rank(info: TensorInfo, rank: int) -> bool:
    return bool(info.tensor_shape.unknown_rank or len(info.tensor_shape.dim) == rank)


def _is_free(info: TensorInfo) -> bool:
    """Whether a batch may have any number of inputs."""
    return bool(info.tensor_shape.unknown_rank or info.tensor_shape.dim[0].size < 0)


def _type(info: TensorInfo) -> str:
    """Return a dtype and a shape, such as `float32 [N, 10]`."""
    dtype = {"float": "float32", "double": "float64", "half": "float16"}
    name = DataType.Name(info.dtype).removeprefix("DT_").lower()
    if info.tensor_shape.unknown_rank:
        return f"{dtype.get(name, name)} of any shape"
    sizes = [str(dim.size) if dim.size >= 0 else "?" for dim in info.tensor_shape.dim]
    return f"{dtype.get(name, name)} [{', '.join(['N', *sizes[1:]] if sizes[:1] == ['?'] else sizes)}]"


def _list(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"
