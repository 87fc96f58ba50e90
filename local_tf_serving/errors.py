"""What can go wrong, with the canonical code each failure carries. Nothing here knows a protocol.

ServingError                  any code; what an engine reports comes as this
├── Cancelled            a load nobody wants any more
├── InvalidArgument      the request can't be right, whatever is loaded
├── NotFound             no such model or version, or none of it is available
├── FailedPrecondition   the request doesn't fit the model that is loaded
├── DeadlineExceeded     the caller's time ran out
├── ResourceExhausted    every thread is taken
├── Unimplemented        TensorFlow Serving can, this server can't
└── DataLoss             a file of the model can't be read as what it should be

CannotStart                    the server can't start; not an answer to a request
"""

from enum import IntEnum
from typing import ClassVar


class Code(IntEnum):
    """The canonical codes, numbered as in google/rpc/code.proto; gRPC and TensorFlow number theirs the same."""

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


class _Coded(ServingError):
    always: ClassVar[Code]

    def __init__(self, message: str) -> None:
        super().__init__(self.always, message)


class Cancelled(_Coded):
    always = Code.CANCELLED


class InvalidArgument(_Coded):
    always = Code.INVALID_ARGUMENT


class NotFound(_Coded):
    always = Code.NOT_FOUND


class FailedPrecondition(_Coded):
    always = Code.FAILED_PRECONDITION


class DeadlineExceeded(_Coded):
    always = Code.DEADLINE_EXCEEDED


class ResourceExhausted(_Coded):
    always = Code.RESOURCE_EXHAUSTED


class Unimplemented(_Coded):
    always = Code.UNIMPLEMENTED


class DataLoss(_Coded):
    always = Code.DATA_LOSS


class CannotStart(Exception):
    """One line that says what to do, and the exit status to end with."""

    def __init__(self, message: str, exit_status: int) -> None:
        super().__init__(message)
        self.exit_status = exit_status
