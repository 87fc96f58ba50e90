"""What the images are made of, as `make build_all` builds them."""

import json
from typing import Any

import pytest

from tests.compose.compose_stack import VERSION, Stack
from tests.compose.engine import BASE_IMAGES, docker
from tests.compose.variants import BUILT_HERE, IMAGE, MODELS, TENSORFLOW, tf_serving_image

MEGABYTE = 1_000_000
WITHOUT_TENSORFLOW = ("sync_async_proxy", "sync_async_backend")
OTHERS = tuple(f"imagenet_{model}" for model in MODELS)


def inspect(image: str) -> dict[str, Any]:
    [found] = json.loads(docker("image", "inspect", image))
    return dict(found)


def tag(name: str) -> str:
    return f"{IMAGE}_{name}_{VERSION}"


def layers(image: str) -> list[str]:
    return list(inspect(image)["RootFS"]["Layers"])


def inside(image: str, script: str) -> str:
    return docker("run", "--rm", "--network", "none", "--entrypoint", "python", image, "-c", script)


@pytest.mark.usefixtures("stacks")
@pytest.mark.parametrize("name", WITHOUT_TENSORFLOW)
def test_it_adds_less_than_130_mb_to_its_base(name: str) -> None:
    python_image, _ = BASE_IMAGES
    added = inspect(tag(name))["Size"] - inspect(python_image)["Size"]
    assert 10 * MEGABYTE < added < 130 * MEGABYTE


@pytest.mark.usefixtures("stacks")
@pytest.mark.parametrize("name", WITHOUT_TENSORFLOW)
def test_of_tensorflow_it_has_protobuf_modules_and_nothing_else(name: str) -> None:
    found = inside(
        tag(name),
        "import pathlib, importlib.metadata as metadata\n"
        "files = [path for path in pathlib.Path('/packages/tensorflow').rglob('*') if path.is_file()]\n"
        "print(*(path.name for path in files if path.suffix != '.pyc' and path.stat().st_size))\n"
        "print(*(each.name for each in metadata.distributions() if each.name.startswith('tensorflow')))",
    )
    files, distributions = (line.split() for line in found.splitlines())
    assert len(files) > 5
    assert [file for file in files if not file.endswith("_pb2.py")] == []
    assert distributions == ["tensorflow-serving-api"]


@pytest.mark.usefixtures("stacks")
@pytest.mark.parametrize("name", [*WITHOUT_TENSORFLOW, *OTHERS])
def test_it_says_what_it_is_and_runs_as_nobody_else_does(name: str) -> None:
    config = inspect(tag(name))["Config"]
    prefix = "org.opencontainers.image"
    assert config["Labels"][f"{prefix}.title"] == name
    assert config["Labels"][f"{prefix}.version"] == VERSION
    assert len(config["Labels"][f"{prefix}.description"]) > 20
    assert config["User"] == "10001:10001"
    assert config["StopSignal"] == "SIGTERM"
    assert config["Healthcheck"]["Test"][0] == "CMD"


@pytest.mark.usefixtures("stacks")
@pytest.mark.parametrize("name", OTHERS)
def test_a_model_adds_itself_to_the_image_of_its_server_and_nothing_else(name: str) -> None:
    """Its weights twice: in the SavedModel, and in the IR beside it."""
    served_by = {tag(name): tf_serving_image(), f"{IMAGE}_{name}_local_{VERSION}": BUILT_HERE}
    for image, server in served_by.items():
        assert layers(image)[: len(layers(server))] == layers(server)
        assert len(layers(image)) == len(layers(server)) + 1
        assert inspect(image)["Size"] - inspect(server)["Size"] < 220 * MEGABYTE


def test_another_version_of_the_same_code_is_not_built_again(stacks: dict[str, Stack]) -> None:
    other = f"{VERSION}-again"
    stacks[TENSORFLOW].make("build_all", IMAGE_VERSION=other)
    for name in (*WITHOUT_TENSORFLOW, *OTHERS):
        again = f"{IMAGE}_{name}_{other}"
        assert layers(again) == layers(tag(name))
        docker("image", "rm", again)
