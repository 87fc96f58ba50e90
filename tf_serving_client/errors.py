"""The errors of a call to a model server.

    ModelError
    ├── InputRejected       the model cannot read an input of this request: a retry will not help
    ├── ModelTooSlow        no response before the deadline; the model may still be computing it
    ├── ModelBusy           the model server has no free thread or queue slot: retry later
    ├── ModelMismatch       the served model does not fit the model contract or its settings: an operator must act
    ├── ContractBroken      a response does not fit the model contract (see the README), although the model does
    │   └── NonFiniteScores   the model computes no finite score for an input of this request: send the others alone
    └── ModelUnavailable    the model is unreachable or not loaded, or the connection was lost during the call

Only status codes are matched, never messages, which differ between versions of TensorFlow Serving.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import grpc


class ModelError(Exception):
    """`model` is the name the model is served under, `code` the status of the gRPC call, if one failed."""

    def __init__(self, model: str, detail: str, code: grpc.StatusCode | None = None) -> None:
        super().__init__(f"{model}: {detail}")
        self.model = model
        self.code = code


class InputRejected(ModelError):
    pass


class ModelTooSlow(ModelError):
    pass


class ModelBusy(ModelError):
    pass


class ModelMismatch(ModelError):
    """The texts are for the operator, except that `cause` may be shown to clients: it contains no addresses."""

    def __init__(self, model: str, cause: str, *, expected: str, change: str) -> None:
        super().__init__(model, f"{cause}; expected: {expected}; {change}")
        self.cause, self.expected, self.change = cause, expected, change


class ContractBroken(ModelError):
    pass


class NonFiniteScores(ContractBroken):
    pass


class ModelUnavailable(ModelError):
    pass


ERRORS_BY_CODE: Final[dict[grpc.StatusCode, type[ModelError]]] = {
    grpc.StatusCode.INVALID_ARGUMENT: InputRejected,
    grpc.StatusCode.DEADLINE_EXCEEDED: ModelTooSlow,
    grpc.StatusCode.RESOURCE_EXHAUSTED: ModelBusy,
    grpc.StatusCode.FAILED_PRECONDITION: ContractBroken,
    grpc.StatusCode.UNIMPLEMENTED: ContractBroken,
}
"""Other codes mean `ModelUnavailable`, including NOT_FOUND, which TensorFlow Serving returns while a model loads."""


@contextmanager
def grpc_errors(model: str) -> Iterator[None]:
    """Turn the errors of a gRPC call into `ModelError`s.

    Closing the channel during a call raises `CancelledError` in the caller although nothing cancelled its task. That
    is a `ModelUnavailable`; a `CancelledError` from a cancelled task passes through.
    """
    try:
        yield
    except grpc.RpcError as error:
        code = error.code()
        raise ERRORS_BY_CODE.get(code, ModelUnavailable)(model, f"{code.name}: {error.details()}", code) from error
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise ModelUnavailable(model, "the connection was closed during the call") from error
