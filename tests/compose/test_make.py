"""The Makefile's targets for containers, with fake Docker clients. Needs no engine."""

import os
import re
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from harness.process import ROOT, free_port
from proxy.memory import max_memory
from proxy.settings import Settings
from service_settings import project_version
from tests.compose.fake_programs import fake_docker, fake_program

VERSION: Final = project_version()
REPOSITORY: Final = "shibui/ml-system-in-actions:sync_async_pattern"
WITH_BUILDX: Final = {"buildx version": (0, "v0.17.1"), "version": (0, "28.2.2")}
WITHOUT_BUILDX: Final = {"buildx version": (1, ""), "version": (0, "28.2.2")}
BEFORE_BUILDX: Final = {"buildx version": (1, ""), "version": (0, "20.10.24")}
NO_CLIENT: Final = {"": (127, "")}


def make(*args: str, directory: Path = ROOT, **variables: str) -> "subprocess.CompletedProcess[str]":
    removed = (
        *("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "IMAGENET_WEIGHTS_DIR", "SERVING", "IMAGE_VERSION", "PULL_POLICY"),
        *("WORKERS", "PROXY_MEM_LIMIT", "FAST_MODEL", "ACCURATE_MODEL"),
    )
    environment = {name: value for name, value in os.environ.items() if name not in removed}
    return subprocess.run(
        ["make", "-f", str(ROOT / "Makefile"), *args],
        cwd=directory,
        env=environment | variables,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def port_in_use() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_build_all_builds_the_images_of_the_original_project_in_its_order(tmp_path: Path) -> None:
    output = make("-n", "build_all", DOCKER=fake_docker(tmp_path, WITH_BUILDX)).stdout
    assert re.findall(r"docker build .*?-t (\S+) -f (\S+) \.$", output, re.M) == [
        (f"{REPOSITORY}_sync_async_proxy_{VERSION}", "./Dockerfile.proxy"),
        (f"{REPOSITORY}_imagenet_mobilenet_v2_{VERSION}", "./imagenet_mobilenet_v2/Dockerfile"),
        (f"{REPOSITORY}_imagenet_inception_v3_{VERSION}", "./imagenet_inception_v3/Dockerfile"),
        (f"{REPOSITORY}_sync_async_backend_{VERSION}", "./Dockerfile.backend"),
    ]


def test_build_all_copies_the_newest_version_of_models_of_ones_own(tmp_path: Path) -> None:
    for version in ("9", "12", "13-unfinished"):
        (tmp_path / "models" / "tiny" / version).mkdir(parents=True)
        (tmp_path / "models" / "tiny" / version / "saved_model.pb").touch()
    models = str(tmp_path / "models")
    output = make("build_sync", "build_async", FAST_MODEL="tiny", MODELS_DIR=models, DOCKER="echo docker").stdout
    fast, accurate = re.findall(r"^docker (build .*)$", output, re.M)
    assert f"-t {REPOSITORY}_model_tiny_{VERSION} -f ./deploy/docker/Dockerfile.model {tmp_path}/models/tiny/12" in fast
    assert "--build-arg MODEL=tiny --build-arg MODEL_VERSION=12" in fast
    assert f"-t {REPOSITORY}_imagenet_inception_v3_{VERSION} " in accurate


def test_build_all_refuses_a_model_that_tensorflow_serving_cannot_serve(tmp_path: Path) -> None:
    (tmp_path / "models" / "tiny" / "1" / "assets.extra").mkdir(parents=True)
    process = make("build_sync", FAST_MODEL="tiny", MODELS_DIR=str(tmp_path / "models"), DOCKER="echo docker")
    assert process.returncode != 0
    assert "has no saved_model.pb, so TensorFlow Serving can't serve it: append SERVING=local" in process.stderr
    assert "docker build" not in process.stdout


def test_build_all_builds_a_model_without_a_saved_model_for_the_local_model_server(tmp_path: Path) -> None:
    version = tmp_path / "models" / "tiny" / "1"
    (version / "assets.extra").mkdir(parents=True)
    variables = {"FAST_MODEL": "tiny", "MODELS_DIR": str(tmp_path / "models"), "SERVING": "local"}
    output = make("build_sync", directory=ROOT, DOCKER="echo docker", **variables).stdout
    assert f"-f ./deploy/docker/Dockerfile.model {version}\n" in output


def test_build_all_says_where_it_looked_for_a_model_that_does_not_exist(tmp_path: Path) -> None:
    process = make("build_sync", FAST_MODEL="tiny", MODELS_DIR=str(tmp_path), DOCKER="echo docker")
    assert process.returncode != 0
    assert process.stderr.startswith(f"make: there is no model 'tiny': no version was found in {tmp_path}/tiny ")
    assert "docker" not in process.stdout


def test_c_up_starts_the_images_of_the_configured_models(tmp_path: Path) -> None:
    results = {"image inspect": (1, "")}
    compose = fake_program(tmp_path / "compose", 'echo "$FAST_MODEL_IMAGE $ACCURATE_MODEL_IMAGE" >&2')
    output = make("-n", "c_up", FAST_MODEL="tiny", DOCKER_COMPOSE=compose, DOCKER=fake_docker(tmp_path, results)).stdout
    assert f"{REPOSITORY}_model_tiny_{VERSION} {REPOSITORY}_imagenet_inception_v3_{VERSION}" in output
    down = make("c_down", FAST_MODEL="tiny", DOCKER_COMPOSE=compose)
    assert down.stderr.strip() == "model_tiny imagenet_inception_v3"


def test_the_models_of_the_containers_can_be_set_in_a_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("FAST_MODEL=tiny\nACCURATE_MODEL='large'\n")
    compose = fake_program(tmp_path / "compose", 'echo "$FAST_MODEL_IMAGE $ACCURATE_MODEL_IMAGE"')
    assert make("-s", "c_down", directory=tmp_path, DOCKER_COMPOSE=compose).stdout == "model_tiny model_large\n"
    in_shell = make("-s", "c_down", directory=tmp_path, DOCKER_COMPOSE=compose, FAST_MODEL="small").stdout
    assert in_shell == "model_small model_large\n"


def test_c_up_and_c_down_run_the_commands_of_the_original_project() -> None:
    up, down = (make("-n", target, DOCKER_COMPOSE="docker-compose").stdout for target in ("c_up", "c_down"))
    assert "\ndocker-compose -f ./docker-compose.yml up -d\n" in up
    assert down == "docker-compose -f ./docker-compose.yml down\n"


@pytest.mark.parametrize("serving", ["tensorflow", "local"])
def test_c_up_and_c_down_read_the_override_file(tmp_path: Path, serving: str) -> None:
    (tmp_path / "docker-compose.override.yml").touch()
    for target in ("c_up", "c_down"):
        output = make("-n", target, directory=tmp_path, SERVING=serving, DOCKER_COMPOSE="docker-compose").stdout
        assert " -f ./docker-compose.override.yml " in output


@pytest.mark.parametrize(
    ("results", "setting", "expected"),
    [
        pytest.param(WITH_BUILDX, "", "1", id="Docker 28 with buildx"),
        pytest.param(WITHOUT_BUILDX, "", "0", id="Docker 28 without buildx"),
        pytest.param(WITHOUT_BUILDX, "1", "0", id="Docker 28 without buildx, with DOCKER_BUILDKIT=1"),
        pytest.param(BEFORE_BUILDX, "", "1", id="Docker 20.10, which has BuildKit built in"),
        pytest.param(WITH_BUILDX, "0", "0", id="Docker 28 with buildx, with DOCKER_BUILDKIT=0"),
        pytest.param(NO_CLIENT, "", "0", id="no Docker"),
    ],
)
def test_buildkit_is_used_if_the_client_supports_it(
    tmp_path: Path, results: dict[str, tuple[int, str]], setting: str, expected: str
) -> None:
    output = make("-n", "build_proxy", DOCKER=fake_docker(tmp_path, results), DOCKER_BUILDKIT=setting).stdout
    assert output.startswith(f"DOCKER_BUILDKIT={expected} {tmp_path}/docker build ")


@pytest.mark.parametrize(
    ("results", "error"),
    [
        pytest.param({"version": (1, "")}, "the Docker Engine does not respond", id="no engine"),
        pytest.param(
            {"image inspect": (1, "")},
            f"image {REPOSITORY}_sync_async_proxy_{VERSION} does not exist: build it with `make build_all`",
            id="no image",
        ),
    ],
)
def test_c_up_reports_what_is_missing_before_it_starts_anything(
    tmp_path: Path, results: dict[str, tuple[int, str]], error: str
) -> None:
    process = make("c_up", DOCKER=fake_docker(tmp_path, results), DOCKER_COMPOSE="echo started", PORT=str(free_port()))
    assert process.returncode != 0
    assert process.stderr.startswith(f"make c_up: {error}")
    assert "started" not in process.stdout


def test_c_up_reports_that_its_port_is_in_use_and_suggests_another(tmp_path: Path, port_in_use: int) -> None:
    process = make("c_up", DOCKER=fake_docker(tmp_path, {}), DOCKER_COMPOSE="true", PORT=str(port_in_use))
    assert process.returncode != 0
    assert process.stderr.startswith(f"make c_up: port {port_in_use} is in use")
    assert f"make c_up PORT={port_in_use + 1}" in process.stderr


def memory_limit(directory: Path, **variables: str) -> str:
    """Return the memory limit of the proxy that `make c_up` passes to Compose."""
    compose = fake_program(directory / "compose", 'echo "limit: $PROXY_MEM_LIMIT"')
    output = make("-s", "c_up", directory=directory, DOCKER_COMPOSE=compose, PYTHON="true", **variables).stdout
    return output.removeprefix("limit: ").strip()


@pytest.mark.parametrize("workers", [1, 2, 4, 16])
def test_c_up_gives_the_proxy_the_memory_that_its_workers_may_need(tmp_path: Path, workers: int) -> None:
    limit = memory_limit(tmp_path, WORKERS=str(workers))
    assert limit[-1] == "m"
    needed = max_memory(Settings(workers=workers))
    assert needed < int(limit[:-1]) * 2**20 < needed * 1.3


def test_the_memory_of_the_proxy_and_its_workers_can_be_set_in_the_shell_and_in_a_file(tmp_path: Path) -> None:
    compose_file = (ROOT / "docker-compose.yml").read_text("utf-8")
    assert f"${{PROXY_MEM_LIMIT:-{memory_limit(tmp_path)}}}" in compose_file
    assert memory_limit(tmp_path, WORKERS="4", PROXY_MEM_LIMIT="9g") == "9g"
    (tmp_path / ".env").write_text('WORKERS="4"\n')
    assert memory_limit(tmp_path) == memory_limit(tmp_path, WORKERS="4")
    (tmp_path / ".env").write_text("WORKERS=4\nPROXY_MEM_LIMIT=7g\n")
    assert memory_limit(tmp_path) == memory_limit(tmp_path, WORKERS="2") == "7g"
