"""The errors of an export, after which there is no new version.

    ExportError
    ├── DependencyMissing    TensorFlow, Keras or tensorflow-serving-api is not installed
    ├── WeightsUnavailable   no trained weights, and untrained ones were not allowed
    ├── WeightsUnreadable    a weights file is damaged or belongs to another network
    ├── VerificationFailed   the written model's scores differ from the network's
    ├── DiskFull
    └── ModelsUnwritable     the models directory can't be written to

Each message is one line that says what to do.
"""


class ExportError(Exception):
    pass


class DependencyMissing(ExportError):
    def __init__(self, package: str | None) -> None:
        super().__init__(
            f"{package} is not installed; install requirements/models.txt, and with --no-deps "
            "requirements/tensorflow-serving-api.txt"
        )


class WeightsUnavailable(ExportError):
    pass


class WeightsUnreadable(ExportError):
    pass


class VerificationFailed(ExportError):
    pass


class DiskFull(ExportError):
    pass


class ModelsUnwritable(ExportError):
    pass


def first_line(error: BaseException) -> str:
    """Return the first line of `error`'s message: messages of Keras and HDF5 may be pages long."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
