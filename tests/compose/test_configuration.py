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
from tests.compose.compose_stack import SERVICES, compose_command

VERSION: Final = "1.2.3"
FILES: Final = {
    "TensorFlow Serving": ["docker-compose.yml"],
    "local serving": ["docker-compose.yml", "docker-compose.local-serving.yml"],
}
WIRING: Final = {
    *("ACCURATE_MODEL_ADDRESS", "FAST_MODEL_ADDRESS", "REDIS_URL"),
    *("HOST", "PORT", "HEALTH_SOCKET"),
}
"""Settings that the stack sets itself."""
PROXY, BACKEND = (
    {name.upper() for name in settings.model_fields} - WIRING for settings in (ProxySettings, BackendSettings)
)

MAX_REDIS_CLIENTS: Final = 10_000
SECONDS: Final = {"m": 60, "s": 1}

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
    environment = {name: value_of(name) for name in PROXY | BACKEND}
    return config(files=["docker-compose.yml"], environment=environment)


def value_of(variable: str) -> str:
    return "17" if variable == "SHUTDOWN_GRACE" else f"value of {variable}"


@pytest.mark.parametrize("variable", sorted(PROXY | BACKEND))
def test_a_setting_in_the_environment_reaches_the_services_that_read_it(with_every_setting: str, variable: str) -> None:
    model_servers = 2 if variable == "LOG_FORMAT" else 0
    services = (variable in PROXY) + (variable in BACKEND) + model_servers
    value = re.escape(value_of(variable))
    assert len(re.findall(rf" {variable}: \W?{value}\W?\n", with_every_setting)) == services


def test_the_images_of_the_models_can_be_chosen() -> None:
    own = {"FAST_MODEL_IMAGE": "model_tiny", "ACCURATE_MODEL_IMAGE": "model_large"}
    for files, suffix in zip(FILES.values(), ("", "_local"), strict=True):
        output = config(files=files, environment=own)
        for image in own.values():
            assert f"_pattern_{image}{suffix}_{VERSION}\n" in output


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


def section(service: str, output: str) -> str:
    match = re.search(rf"^  {service}:\n(?:    .*\n)+", output, re.M)
    assert match, f"no service {service}"
    return match[0]


def test_the_proxy_starts_without_the_accurate_model(with_every_setting: str) -> None:
    depends_on = re.search(r"depends_on:\n((?: {6,}.*\n)+)", section("proxy", with_every_setting))
    assert depends_on
    assert set(re.findall(r"^ {6}([\w-]+):", depends_on[1], re.M)) == {"redis", "imagenet-mobilenet-v2"}


@pytest.mark.parametrize("service", SERVICES)
def test_open_files_and_processes_are_limited(service: str, with_every_setting: str) -> None:
    text = section(service, with_every_setting)
    assert re.search(r"pids_limit: \d+\n", text)
    limits = [int(limit) for limit in re.findall(r"(?:soft|hard): (\d+)\n", text)]
    assert len(limits) == 2
    assert min(limits) > MAX_REDIS_CLIENTS


@pytest.mark.parametrize(("shutdown_grace", "seconds"), [("", 80), ("0", 60), ("45", 105)])
def test_compose_lets_the_worker_finish_its_batches_before_it_kills_it(shutdown_grace: str, seconds: int) -> None:
    environment = {"SHUTDOWN_GRACE": shutdown_grace}
    [duration] = re.findall(
        r"stop_grace_period: (\S+)", section("backend", config(files=["docker-compose.yml"], environment=environment))
    )
    assert sum(int(number) * SECONDS[unit] for number, unit in re.findall(r"(\d+)(m|s)", duration)) == seconds
