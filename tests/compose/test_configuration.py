"""The compose files say what they should, and the services are told what this shell has for them. No engine needed."""

import os
import re
import subprocess
from collections.abc import Mapping

import pytest

from backend.settings import Settings as BackendSettings
from harness.process import ROOT
from proxy.settings import Settings as ProxySettings
from tests.compose.compose_stack import compose_command

FILES = {
    "TensorFlow Serving": ["docker-compose.yml"],
    "local serving": ["docker-compose.yml", "docker-compose.local-serving.yml"],
}
WIRING = {
    *("ACCURATE_MODEL", "ACCURATE_MODEL_ADDRESS", "FAST_MODEL", "FAST_MODEL_ADDRESS", "REDIS_URL"),
    *("HOST", "PORT", "HEALTH_SOCKET", "LABELS", "TEST_IMAGE"),
}
"""What the stack itself decides."""
PROXY, BACKEND = (
    {name.upper() for name in settings.model_fields} - WIRING for settings in (ProxySettings, BackendSettings)
)

pytestmark = pytest.mark.usefixtures("compose_program")


def config(*words: str, files: list[str], environment: Mapping[str, str] | None = None) -> str:
    command = [*compose_command(), *(word for file in files for word in ("-f", file)), "config", *words]
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | (environment or {}), capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize("files", FILES.values(), ids=FILES.keys())
def test_the_files_are_valid(files: list[str]) -> None:
    assert config("-q", files=files) == ""


@pytest.fixture(scope="module")
def with_every_setting(compose_program: None) -> str:
    return config(files=["docker-compose.yml"], environment={name: f"told {name}" for name in PROXY | BACKEND})


@pytest.mark.parametrize("variable", sorted(PROXY | BACKEND))
def test_a_setting_of_this_shell_reaches_the_services_that_read_it(with_every_setting: str, variable: str) -> None:
    readers = (variable in PROXY) + (variable in BACKEND)
    assert with_every_setting.count(f" {variable}: told {variable}\n") == readers


def test_redis_writes_as_often_and_holds_as_much_as_this_shell_says() -> None:
    wishes = {"APPENDFSYNC": "always", "REDIS_MAXMEMORY": "3gb", "REDIS_MEM_LIMIT": "7g"}
    told = config(files=["docker-compose.yml"], environment=wishes)
    assert re.search(r"- --appendfsync\n\s+- always\n", told)
    assert re.search(r"- --maxmemory\n\s+- 3gb\n", told)
    assert re.search(r"mem_limit: \W?(7g|7516192768)\W", told)


def test_local_serving_has_other_images_of_the_models_and_of_nothing_else() -> None:
    with_tensorflow, local = (re.findall(r"image: (\S+)", config(files=files)) for files in FILES.values())
    expected = [re.sub(r"(imagenet_[a-z]+_v\d)_", r"\1_local_", image) for image in with_tensorflow]
    assert local == expected != with_tensorflow
