"""Runs a PredictRequest on one loaded version, for the data plane and the warm-up."""

from collections.abc import Mapping
from datetime import timedelta

from tensorflow_serving.apis.predict_pb2 import PredictRequest, PredictResponse

from local_tf_serving import tensor
from local_tf_serving.engine import Servable
from local_tf_serving.errors import DeadlineExceeded, FailedPrecondition, InvalidArgument, Unimplemented
from local_tf_serving.signature import DEFAULT_SIGNATURE, Signature


class Predictor:
    def __init__(self, servable: Servable) -> None:
        self._servable = servable
        self._signatures = {name: Signature(definition) for name, definition in servable.signature_defs.items()}

    @property
    def servable(self) -> Servable:
        return self._servable

    def input_types(self, signature_name: str) -> Mapping[str, int]:
        """The DataType of each input alias. Raises InvalidArgument for an unknown signature, as REST does."""
        name = signature_name or DEFAULT_SIGNATURE
        if name not in self._signatures:
            raise InvalidArgument(f'Serving signature name: "{name}" not found in signature def')
        return self._signatures[name].inputs

    def predict(self, request: PredictRequest, timeout: timedelta | None) -> PredictResponse:
        """Run the signature that the request names; the model that it names is ignored. Raises ServingError.

        The response's model_spec has the signature's name only.
        """
        name = request.model_spec.signature_name or DEFAULT_SIGNATURE
        signature = self._signatures.get(name)
        if signature is None:
            raise FailedPrecondition(f'Serving signature key "{name}" not found.')
        inputs = signature.select_inputs(request.inputs)
        outputs = signature.select_outputs(request.output_filter)
        signature.check_dtypes(inputs)
        if timeout is not None and timeout <= timedelta():
            raise DeadlineExceeded("Timed out waiting for notification")
        arrays = self._servable.run(name, inputs, outputs, timeout)
        response = PredictResponse()
        response.model_spec.signature_name = name
        for alias, array in zip(outputs, arrays, strict=True):
            try:
                tensor.write(array, response.outputs[alias])
            except ValueError as error:
                raise Unimplemented(f"output {alias} has a dtype that this server does not support: {error}") from error
        return response

    def close(self) -> None:
        self._servable.close()
