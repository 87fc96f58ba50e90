"""Checks a request's tensors against a signature.

The rules and texts are those of PreProcessPrediction (servables/tensorflow/predict_util.cc) and GetInputValues
(tensorflow/cc/saved_model/util.cc).
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from tensorflow.core.framework.tensor_pb2 import TensorProto
from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef

from local_tf_serving import tensor
from local_tf_serving.engine import Array
from local_tf_serving.errors import InvalidArgument

DEFAULT_SIGNATURE: Final = "serving_default"
"""The signature of a request that names none (tensorflow/cc/saved_model/signature_constants.h)."""


class Signature:
    """A copy of a SignatureDef in plain Python, because lookups in the protobuf would slow down each request."""

    def __init__(self, definition: SignatureDef) -> None:
        self.inputs: Mapping[str, int] = {alias: definition.inputs[alias].dtype for alias in sorted(definition.inputs)}
        """The DataType of each input alias, sorted by alias."""
        self.outputs: Sequence[str] = sorted(definition.outputs)
        self._feed_names = {alias: definition.inputs[alias].name for alias in self.inputs}
        self._defaults = {alias: definition.defaults[alias] for alias in sorted(definition.defaults)}

    def select_inputs(self, sent: Mapping[str, TensorProto]) -> dict[str, Array]:
        """An array for every input alias, from the request or the signature's defaults. Dtypes are not checked.

        Raises InvalidArgument for missing, unknown and malformed tensors.
        """
        self._check_count(sent)
        arrays = {}
        for alias in self.inputs:
            proto = sent[alias] if alias in sent else self._defaults.get(alias)
            if proto is None:
                raise InvalidArgument(
                    f"Signature input alias: {alias}(feed name: {self._feed_names[alias]}) not found in request and no "
                    f"default value provided. Inputs expected to be in the request {_braced(sent)}, or default input "
                    f"alias set: {','.join(self._defaults)}"
                )
            try:
                arrays[alias] = tensor.to_array(proto)
            except ValueError as error:
                raise InvalidArgument(f"tensor parsing error: {alias}") from error
        if unknown := sent.keys() - self.inputs.keys():
            used = ",".join(sorted(sent.keys() - unknown))
            raise InvalidArgument(
                f"Inputs contains invalid name. Used request inputs: {used}, request input: {','.join(sorted(sent))}"
            )
        return arrays

    def select_outputs(self, output_filter: Sequence[str]) -> Sequence[str]:
        """The aliases in the filter, in its order, or all outputs if it is empty. Raises InvalidArgument."""
        if not output_filter:
            return self.outputs
        chosen: list[str] = []
        for alias in output_filter:
            if alias not in self.outputs:
                raise InvalidArgument(
                    f"output tensor alias not found in signature: {alias} Outputs expected to be in the set "
                    f"{_braced(self.outputs)}."
                )
            if alias in chosen:
                raise InvalidArgument(f"duplicate output tensor alias: {alias}")
            chosen.append(alias)
        return chosen

    def check_dtypes(self, arrays: Mapping[str, Array]) -> None:
        """Raises InvalidArgument, with the text of TensorFlow's session, for the first array of a wrong dtype."""
        for position, (alias, expected) in enumerate(self.inputs.items()):
            provided = tensor.data_type(arrays[alias])
            if provided != expected:
                raise InvalidArgument(
                    f"Expects arg[{position}] to be {tensor.type_name(expected)} but {tensor.type_name(provided)} is "
                    "provided"
                )

    def _check_count(self, sent: Mapping[str, TensorProto]) -> None:
        if len(sent) == len(self.inputs) or (len(sent) < len(self.inputs) and self._defaults):
            return
        extra = sent.keys() - self.inputs.keys()
        missing = self.inputs.keys() - sent.keys()
        raise InvalidArgument(
            f"input size does not match signature: {len(sent)}!={len(self.inputs)} len({_braced(sent)}) != "
            f"len({_braced(self.inputs)}). Sent extra: {_braced(extra)}. Missing but required: {_braced(missing)}."
        )


def _braced(names: Iterable[str]) -> str:
    return "{" + ",".join(sorted(names)) + "}"
