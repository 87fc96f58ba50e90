"""Exceptions and the canonical status code of each, independent of the protocol.

ServingError             any code; engines raise it for an error of the model
├── Cancelled            the load is no longer needed
├── InvalidArgument      the request is invalid, regardless of the loaded model
├── NotFound             the model or version does not exist, or no version is available
├── FailedPrecondition   the request does not fit the loaded model
├── DeadlineExceeded     the request's deadline has passed
├── ResourceExhausted    all threads are busy, or memory is exhausted
├── Unimplemented        TensorFlow Serving supports it, this server does not
└── DataLoss             a file of the model is damaged

CannotStart              ends the process; never a response to a request
"""

from enum import IntEnum
from typing import ClassVar


class Code(IntEnum):
    """The canonical codes with the numbers of google/rpc/code.proto, which gRPC and TensorFlow share."""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


class ServingError(Exception):
    def __init__(self, code: Code, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class _CodedError(ServingError):
    default_code: ClassVar[Code]

    def __init__(self, message: str) -> None:
        super().__init__(self.default_code, message)


class Cancelled(_CodedError):
    default_code = Code.CANCELLED


class InvalidArgument(_CodedError):
    default_code = Code.INVALID_ARGUMENT


class NotFound(_CodedError):
    default_code = Code.NOT_FOUND


class FailedPrecondition(_CodedError):
    default_code = Code.FAILED_PRECONDITION


class DeadlineExceeded(_CodedError):
    default_code = Code.DEADLINE_EXCEEDED


class ResourceExhausted(_CodedError):
    default_code = Code.RESOURCE_EXHAUSTED


class Unimplemented(_CodedError):
    default_code = Code.UNIMPLEMENTED


class DataLoss(_CodedError):
    default_code = Code.DATA_LOSS


class CannotStart(Exception):
    """The message is one line that names the cause and the remedy."""

    def __init__(self, message: str, exit_status: int) -> None:
        super().__init__(message)
        self.exit_status = exit_status
