"""The Compose files and the settings that they pass to the services. Needs no engine."""

import os
import re
import subprocess
from collections.abc import Mapping
from typing import Final

import pytest

from backend.settings import Settings as BackendSettings
from harness.process import ROOT
from proxy.settings import Settings as ProxySettings
from tests.compose.compose_stack import compose_command

VERSION: Final = "1.2.3"
FILES: Final = {
    "TensorFlow Serving": ["docker-compose.yml"],
    "local serving": ["docker-compose.yml", "docker-compose.local-serving.yml"],
}
WIRING: Final = {
    *("ACCURATE_MODEL", "ACCURATE_MODEL_ADDRESS", "FAST_MODEL", "FAST_MODEL_ADDRESS", "REDIS_URL"),
    *("HOST", "PORT", "HEALTH_SOCKET"),
}
"""Settings that the stack sets itself."""
PROXY, BACKEND = (
    {name.upper() for name in settings.model_fields} - WIRING for settings in (ProxySettings, BackendSettings)
)

pytestmark = pytest.mark.usefixtures("compose_program")


def config(*args: str, files: list[str], environment: Mapping[str, str] | None = None) -> str:
    command = [*compose_command(), *(arg for file in files for arg in ("-f", file)), "config", *args]
    environment = {**os.environ, "IMAGE_VERSION": VERSION, **(environment or {})}
    process = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert (process.returncode, process.stderr) == (0, "")
    return process.stdout


def test_compose_names_the_missing_version_when_it_is_not_run_by_make() -> None:
    environment = {name: value for name, value in os.environ.items() if name != "IMAGE_VERSION"}
    command = [*compose_command(), "-f", "docker-compose.yml", "config"]
    process = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert process.returncode != 0
    assert "use make c_up and make c_down, or set it" in process.stderr


@pytest.mark.parametrize("files", FILES.values(), ids=FILES.keys())
def test_the_files_are_valid(files: list[str]) -> None:
    assert config("-q", files=files) == ""


@pytest.fixture(scope="module")
def with_every_setting(compose_program: None) -> str:
    return config(files=["docker-compose.yml"], environment={name: f"value of {name}" for name in PROXY | BACKEND})


@pytest.mark.parametrize("variable", sorted(PROXY | BACKEND))
def test_a_setting_in_the_environment_reaches_the_services_that_read_it(with_every_setting: str, variable: str) -> None:
    services = (variable in PROXY) + (variable in BACKEND)
    assert with_every_setting.count(f" {variable}: value of {variable}\n") == services


def test_redis_gets_its_settings_from_the_environment() -> None:
    environment = {"APPENDFSYNC": "always", "REDIS_MAXMEMORY": "3gb", "REDIS_MEM_LIMIT": "7g"}
    output = config(files=["docker-compose.yml"], environment=environment)
    assert re.search(r"- --appendfsync\n\s+- always\n", output)
    assert re.search(r"- --maxmemory\n\s+- 3gb\n", output)
    assert re.search(r"mem_limit: \W?(7g|7516192768)\W", output)


def test_local_serving_replaces_only_the_images_of_the_models() -> None:
    with_tensorflow, local = (re.findall(r"image: (\S+)", config(files=files)) for files in FILES.values())
    expected = [re.sub(r"(imagenet_[a-z]+_v\d)_", r"\1_local_", image) for image in with_tensorflow]
    assert local == expected != with_tensorflow
