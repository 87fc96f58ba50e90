import os
import subprocess

import pytest

from harness.process import PYTHON, ROOT

GREETING = "I0000 port.cc:153] oneDNN custom operations are on. You may see slightly different numerical results"
SCRIPT = f"""
import os
from local_tf_serving.stderr_filter import hidden
with hidden():
    os.write(2, b"{GREETING}\\n")
    os.write(2, b"real trouble\\n")
    {{ending}}
os.write(2, b"afterwards\\n")
"""


def printed(ending: str = "", **environment: str) -> list[str]:
    inherited = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    ended = subprocess.run(
        [PYTHON, "-c", SCRIPT.format(ending=ending)],
        cwd=ROOT,
        env={**inherited, **environment},
        stderr=subprocess.PIPE,
        text=True,
        timeout=30,
        check=False,
    )
    return ended.stderr.splitlines()


def test_only_the_greetings_are_dropped() -> None:
    assert printed() == ["real trouble", "afterwards"]


def test_who_sets_the_log_level_sees_everything() -> None:
    assert printed(TF_CPP_MIN_LOG_LEVEL="0") == [GREETING, "real trouble", "afterwards"]


@pytest.mark.parametrize("ending", ["raise ImportError('no TensorFlow')", "raise SystemExit('gone')"])
def test_an_import_that_fails_shows_everything(ending: str) -> None:
    assert printed(ending)[:2] == [GREETING, "real trouble"]
