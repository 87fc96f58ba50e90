"""Why there is no new version.

    ExportError
    ├── DependencyMissing    TensorFlow, Keras or tensorflow-serving-api is not installed
    ├── WeightsUnavailable   no trained weights, and untrained ones were not allowed
    ├── WeightsUnreadable    a weights file is damaged, or another network's
    ├── ExportUnsound        the written model does not answer as the network does
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


class ExportUnsound(ExportError):
    pass


class DiskFull(ExportError):
    pass


class ModelsUnwritable(ExportError):
    pass


def first_line(error: BaseException) -> str:
    """What `error` says, without the pages that Keras and HDF5 may add."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
