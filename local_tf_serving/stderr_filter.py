"""TensorFlow's greetings, kept out of the log."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

# tensorflow-cpu 2.21 writes these while it is imported, whatever TF_CPP_MIN_LOG_LEVEL says.
_GREETINGS = (
    b"All log messages before absl::InitializeLog() is called are written to STDERR",
    b"oneDNN custom operations are on.",
)


@contextmanager
def hidden() -> Iterator[None]:
    """Hide what TensorFlow writes to standard error on import, unless the user set TF_CPP_MIN_LOG_LEVEL to see it.

    Only the known greetings are dropped; any other line is passed on when the block ends, and all of it if it raises.
    """
    if "TF_CPP_MIN_LOG_LEVEL" in os.environ:
        yield
        return
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"  # what fails is raised too; "2" adds lines for every damaged JPEG
    sys.stderr.flush()
    terminal = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        greetings: tuple[bytes, ...] = ()
        try:
            yield
            greetings = _GREETINGS
        finally:
            sys.stderr.flush()
            os.dup2(terminal, 2)
            os.close(terminal)
            held.seek(0)
            for line in held:
                if not any(greeting in line for greeting in greetings):
                    os.write(2, line)
