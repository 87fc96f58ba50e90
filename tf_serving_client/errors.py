"""What can go wrong when a model is asked.

    ModelError
    ├── ImageRejected       the model can't read an image of this request: asking again won't help
    ├── ModelTooSlow        no answer before the deadline; the model may still be at it
    ├── ModelBusy           the model has no thread or queue place free: ask again later
    ├── ContractBroken      it answers, but not as the model contract says: see the README
    └── ModelUnavailable    not reachable, not loaded, or gone in the middle of the call

Codes decide, texts never do: TensorFlow Serving's messages differ between versions.
"""

from typing import Final

import grpc


class ModelError(Exception):
    """`model` is the name it is served under."""

    def __init__(self, model: str, detail: str) -> None:
        super().__init__(f"{model}: {detail}")
        self.model = model


class ImageRejected(ModelError):
    pass


class ModelTooSlow(ModelError):
    pass


class ModelBusy(ModelError):
    pass


class ContractBroken(ModelError):
    pass


class ModelUnavailable(ModelError):
    pass


BY_CODE: Final[dict[grpc.StatusCode, type[ModelError]]] = {
    grpc.StatusCode.INVALID_ARGUMENT: ImageRejected,
    grpc.StatusCode.DEADLINE_EXCEEDED: ModelTooSlow,
    grpc.StatusCode.RESOURCE_EXHAUSTED: ModelBusy,
    grpc.StatusCode.FAILED_PRECONDITION: ContractBroken,
    grpc.StatusCode.UNIMPLEMENTED: ContractBroken,
}
"""Every other code is `ModelUnavailable`: NOT_FOUND too, which TensorFlow Serving says of a model that is loading."""


def from_rpc(model: str, error: grpc.RpcError) -> ModelError:
    code = error.code()
    return BY_CODE.get(code, ModelUnavailable)(model, f"{code.name}: {error.details()}")
