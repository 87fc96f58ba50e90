"""The Makefile's targets for containers, with Docker clients made for the test. No engine needed."""

import os
import re
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.process import ROOT, free_port
from service_settings import project_version
from tests.compose.programs import docker_client

VERSION = project_version()
REPOSITORY = "shibui/ml-system-in-actions:sync_async_pattern"
WITH_BUILDX = {"buildx version": (0, "v0.17.1"), "version": (0, "28.2.2")}
WITHOUT_BUILDX = {"buildx version": (1, ""), "version": (0, "28.2.2")}
OLD = {"buildx version": (1, ""), "version": (0, "20.10.24")}
NO_CLIENT = {"": (127, "")}


def make(*words: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    dropped = ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "IMAGENET_WEIGHTS_DIR", "SERVING", "IMAGE_VERSION", "PULL_POLICY")
    environment = {name: value for name, value in os.environ.items() if name not in dropped}
    return subprocess.run(
        ["make", *words], cwd=ROOT, env=environment | variables, capture_output=True, text=True, check=False
    )


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_build_all_builds_the_images_of_the_seed_in_its_order(tmp_path: Path) -> None:
    said = make("-n", "build_all", DOCKER=docker_client(tmp_path, WITH_BUILDX)).stdout
    assert re.findall(r"docker build .*?-t (\S+) -f (\S+) \.$", said, re.M) == [
        (f"{REPOSITORY}_sync_async_proxy_{VERSION}", "./Dockerfile.proxy"),
        (f"{REPOSITORY}_imagenet_mobilenet_v2_{VERSION}", "./imagenet_mobilenet_v2/Dockerfile"),
        (f"{REPOSITORY}_imagenet_inception_v3_{VERSION}", "./imagenet_inception_v3/Dockerfile"),
        (f"{REPOSITORY}_sync_async_backend_{VERSION}", "./Dockerfile.backend"),
    ]


def test_c_up_and_c_down_run_the_commands_of_the_seed() -> None:
    up, down = (make("-n", target, DOCKER_COMPOSE="docker-compose").stdout for target in ("c_up", "c_down"))
    assert "\ndocker-compose -f ./docker-compose.yml up -d\n" in up
    assert down == "docker-compose -f ./docker-compose.yml down\n"


@pytest.mark.parametrize(
    ("answers", "wished", "expected"),
    [
        pytest.param(WITH_BUILDX, "", "1", id="Docker 28 with buildx"),
        pytest.param(WITHOUT_BUILDX, "", "0", id="Docker 28 without buildx, which is BuildKit there"),
        pytest.param(WITHOUT_BUILDX, "1", "0", id="the same, where this shell asks for what it doesn't have"),
        pytest.param(OLD, "", "1", id="Docker 20.10, which has BuildKit inside"),
        pytest.param(WITH_BUILDX, "0", "0", id="whoever doesn't want it"),
        pytest.param(NO_CLIENT, "", "0", id="no Docker"),
    ],
)
def test_buildkit_is_used_where_the_client_has_it(
    tmp_path: Path, answers: dict[str, tuple[int, str]], wished: str, expected: str
) -> None:
    said = make("-n", "build_proxy", DOCKER=docker_client(tmp_path, answers), DOCKER_BUILDKIT=wished).stdout
    assert said.startswith(f"DOCKER_BUILDKIT={expected} {tmp_path}/docker build ")


@pytest.mark.parametrize(
    ("answers", "complaint"),
    [
        pytest.param({"version": (1, "")}, "the Docker Engine does not respond", id="no engine"),
        pytest.param(
            {"image inspect": (1, "")},
            f"image {REPOSITORY}_sync_async_proxy_{VERSION} does not exist: build it with `make build_all`",
            id="no image",
        ),
    ],
)
def test_c_up_says_what_is_missing_before_it_starts_anything(
    tmp_path: Path, answers: dict[str, tuple[int, str]], complaint: str
) -> None:
    refused = make(
        "c_up", DOCKER=docker_client(tmp_path, answers), DOCKER_COMPOSE="echo started", PORT=str(free_port())
    )
    assert refused.returncode != 0
    assert refused.stderr.startswith(f"make c_up: {complaint}")
    assert "started" not in refused.stdout


def test_c_up_says_that_its_port_is_taken_and_names_another(tmp_path: Path, taken_port: int) -> None:
    refused = make("c_up", DOCKER=docker_client(tmp_path, {}), DOCKER_COMPOSE="true", PORT=str(taken_port))
    assert refused.returncode != 0
    assert refused.stderr.startswith(f"make c_up: port {taken_port} is in use")
    assert f"make c_up PORT={taken_port + 1}" in refused.stderr
