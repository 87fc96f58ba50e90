"""Each target accepts the inputs of its corpus, which has what the fuzzer found once."""

import subprocess

import pytest

from harness.process import PYTHON, ROOT
from tests.fuzz.targets import CORPUS, TARGETS


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_accepts_its_corpus(name: str) -> None:
    inputs = list((CORPUS / TARGETS[name].corpus).iterdir())
    assert inputs
    for path in inputs:
        TARGETS[name].run(path.read_bytes())


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_accepts_an_empty_input_and_noise(name: str) -> None:
    for data in (b"", b"\0", b"\xff" * 100, bytes(range(256)) * 4):
        TARGETS[name].run(data)


def test_the_corpus_is_small() -> None:
    files = [path for path in CORPUS.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 64 * 1024


def test_without_atheris_the_fuzzer_fails_with_a_message_that_says_so() -> None:
    program = "import sys; sys.modules['atheris'] = None; import tests.fuzz.atheris_run"
    result = subprocess.run([PYTHON, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert "atheris is not installed: run `make fuzz`" in result.stderr
