"""`--help` lists the settings, other arguments are refused, and misspelled variables are warned of."""

import os
import subprocess
from pathlib import Path
from typing import Final

import pytest

from backend.settings import Settings as Backend
from deploy.local.settings import LocalSettings
from harness.process import PYTHON, ROOT
from proxy.settings import Settings as Proxy
from service_settings import ServiceSettings
from service_settings.command_line import similar_settings

PROCESSES: Final[dict[str, type[ServiceSettings]]] = {"proxy": Proxy, "backend": Backend, "deploy.local": LocalSettings}


def run(module: str, *args: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [PYTHON, "-m", module, *args],
        cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("module", PROCESSES)
def test_help_lists_every_setting_with_its_default_and_meaning(module: str) -> None:
    process = run(module, "--help")
    assert (process.returncode, process.stderr) == (0, "")
    for variable in PROCESSES[module].variables():
        [meaning] = process.stdout.partition(f"\n  {variable}=")[2].splitlines()[1:2]
        assert meaning.startswith(" " * 8), variable
    assert f"Usage: [VARIABLE=VALUE…] python -m {module}".lower() in process.stdout.lower()


@pytest.mark.slow
@pytest.mark.parametrize("module", PROCESSES)
@pytest.mark.parametrize("argument", ["--port=9000", "serve"])
def test_an_unknown_argument_is_refused(module: str, argument: str) -> None:
    process = run(module, argument)
    assert process.returncode == 2
    assert f"unrecognized arguments: {argument}" in process.stderr


@pytest.mark.slow
@pytest.mark.parametrize("module", ["proxy", "backend"])
def test_a_misspelled_setting_is_a_warning_at_start(module: str, tmp_path: Path) -> None:
    (tmp_path / "labels.json").write_text("{}")  # ends the process before it serves
    process = run(module, LABELS=str(tmp_path / "labels.json"), ACCURATE_MODEL_ADRESS="models:8500")
    [line] = process.stdout.splitlines()
    assert 'level=warning event="unknown setting"' in line
    assert line.endswith("ignored=ACCURATE_MODEL_ADRESS similar=ACCURATE_MODEL_ADDRESS")


@pytest.mark.parametrize(
    ("name", "similar"),
    [
        ("FAST_MODEL_ADRESS", "FAST_MODEL_ADDRESS"),
        ("fast_model_adress", "FAST_MODEL_ADDRESS"),
        ("WORKER", "WORKERS"),
        ("JOB_TLL", "JOB_TTL"),
        ("LOGLEVEL", "LOG_LEVEL"),
    ],
)
def test_a_variable_that_is_almost_a_setting_is_found(name: str, similar: str) -> None:
    assert list(similar_settings(Proxy, {name: "1", "PATH": "/bin"})) == [(name, similar)]


@pytest.mark.parametrize("settings", PROCESSES.values())
def test_settings_of_other_processes_and_common_variables_are_not_taken_for_misspelled_ones(
    settings: type[ServiceSettings],
) -> None:
    others = {name for other in PROCESSES.values() for name in other.variables()}
    shell = {"HOSTNAME", "HOME", "PWD", "USER", "PATH", "LANG", "PYTHONUNBUFFERED", "REDIS_SERVICE_PORT", "QUEUE_REST"}
    compose = {"BACKEND_REPLICAS", "PROXY_MEM_LIMIT", "REDIS_MEM_LIMIT", "REDIS_IMAGE", "PULL_POLICY", "IMAGE_VERSION"}
    assert list(similar_settings(settings, dict.fromkeys(others | shell | compose, "1"))) == []
