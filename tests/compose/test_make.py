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
from service_settings import project_version
from tests.compose.fake_programs import fake_docker

VERSION: Final = project_version()
REPOSITORY: Final = "shibui/ml-system-in-actions:sync_async_pattern"
WITH_BUILDX: Final = {"buildx version": (0, "v0.17.1"), "version": (0, "28.2.2")}
WITHOUT_BUILDX: Final = {"buildx version": (1, ""), "version": (0, "28.2.2")}
BEFORE_BUILDX: Final = {"buildx version": (1, ""), "version": (0, "20.10.24")}
NO_CLIENT: Final = {"": (127, "")}


def make(*args: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    removed = ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "IMAGENET_WEIGHTS_DIR", "SERVING", "IMAGE_VERSION", "PULL_POLICY")
    environment = {name: value for name, value in os.environ.items() if name not in removed}
    return subprocess.run(
        ["make", *args], cwd=ROOT, env=environment | variables, capture_output=True, text=True, check=False
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


def test_c_up_and_c_down_run_the_commands_of_the_original_project() -> None:
    up, down = (make("-n", target, DOCKER_COMPOSE="docker-compose").stdout for target in ("c_up", "c_down"))
    assert "\ndocker-compose -f ./docker-compose.yml up -d\n" in up
    assert down == "docker-compose -f ./docker-compose.yml down\n"


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
