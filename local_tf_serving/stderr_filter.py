"""Keeps the messages that TensorFlow prints on import out of the log."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

# tensorflow-cpu 2.21 prints these while it is imported, regardless of TF_CPP_MIN_LOG_LEVEL.
IMPORT_MESSAGES: Final = (
    b"All log messages before absl::InitializeLog() is called are written to STDERR",
    b"oneDNN custom operations are on.",
)


@contextmanager
def stderr_filter() -> Iterator[None]:
    """Drop TensorFlow's import messages from standard error, unless the user has set TF_CPP_MIN_LOG_LEVEL.

    Other lines are printed when the block ends. If the block raises an exception, all lines are printed.
    """
    if "TF_CPP_MIN_LOG_LEVEL" in os.environ:
        yield
        return
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"  # errors are raised as well; "2" would print a line per damaged JPEG
    sys.stderr.flush()
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as captured:
        os.dup2(captured.fileno(), 2)
        dropped: tuple[bytes, ...] = ()
        try:
            yield
            dropped = IMPORT_MESSAGES
        finally:
            sys.stderr.flush()
            os.dup2(stderr, 2)
            os.close(stderr)
            captured.seek(0)
            for line in captured:
                if not any(message in line for message in dropped):
                    os.write(2, line)
