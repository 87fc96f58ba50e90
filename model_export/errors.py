"""The errors of an export, after which there is no new version.

    ExportError
    ├── DependencyMissing    TensorFlow, Keras or tensorflow-serving-api is not installed
    ├── WeightsUnavailable   no trained weights, and untrained ones were not allowed
    ├── WeightsUnreadable    a weights file is damaged or belongs to another network
    ├── OptionsInvalid       the command line, before anything is loaded
    ├── SourceUnreadable     a file that can't be read: a model, labels, examples
    ├── SourceUnsupported    a model that can't be served: its inputs, outputs, shapes
    ├── LabelsMismatch       as many labels as classes are needed
    ├── VerificationFailed   the written model's scores differ from the source's
    ├── DiskFull
    └── ModelsUnwritable     the models directory can't be written to

IrUnsupported is not an error of the export, which goes on without an IR.

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


class OptionsInvalid(ExportError):
    pass


class SourceUnreadable(ExportError):
    pass


class SourceUnsupported(ExportError):
    pass


class LabelsMismatch(ExportError):
    pass


class IrUnsupported(Exception):
    """OpenVINO can't represent the source."""


class DiskFull(ExportError):
    pass


class ModelsUnwritable(ExportError):
    pass


def first_line(error: BaseException) -> str:
    """Return the first line of `error`'s message: messages of Keras and HDF5 may be pages long."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
