import os
import subprocess
from typing import Final

import pytest

from harness.process import PYTHON, ROOT

IMPORT_MESSAGE: Final = "I0000 port.cc:153] oneDNN custom operations are on. You may see different results"
SCRIPT: Final = f"""
import os
from local_tf_serving.stderr_filter import stderr_filter
with stderr_filter():
    os.write(2, b"{IMPORT_MESSAGE}\\n")
    os.write(2, b"an error\\n")
    {{ending}}
os.write(2, b"afterwards\\n")
"""


def printed(ending: str = "", **environment: str) -> list[str]:
    inherited = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    process = subprocess.run(
        [PYTHON, "-c", SCRIPT.format(ending=ending)],
        cwd=ROOT,
        env={**inherited, **environment},
        stderr=subprocess.PIPE,
        text=True,
        timeout=30,
        check=False,
    )
    return process.stderr.splitlines()


def test_only_the_import_messages_are_dropped() -> None:
    assert printed() == ["an error", "afterwards"]


def test_nothing_is_dropped_if_the_user_has_set_the_log_level() -> None:
    assert printed(TF_CPP_MIN_LOG_LEVEL="0") == [IMPORT_MESSAGE, "an error", "afterwards"]


@pytest.mark.parametrize("ending", ["raise ImportError('no TensorFlow')", "raise SystemExit(1)"])
def test_nothing_is_dropped_if_the_import_fails(ending: str) -> None:
    assert printed(ending)[:2] == [IMPORT_MESSAGE, "an error"]
