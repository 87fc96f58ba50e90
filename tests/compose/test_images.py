"""The contents of the images that `make build_all` builds."""

import json
from typing import Any, Final

import pytest

from tests.compose.compose_stack import VERSION, Stack
from tests.compose.engine import BASE_IMAGES, docker
from tests.compose.variants import BUILT_HERE, IMAGE, MODELS, TENSORFLOW, tf_serving_image

MEGABYTE: Final = 1_000_000
WITHOUT_TENSORFLOW: Final = ("sync_async_proxy", "sync_async_backend")
MODEL_IMAGES: Final = tuple(f"imagenet_{model}" for model in MODELS)


def inspect(image: str) -> dict[str, Any]:
    [attributes] = json.loads(docker("image", "inspect", image))
    return dict(attributes)


def tag(name: str) -> str:
    return f"{IMAGE}_{name}_{VERSION}"


def layers(image: str) -> list[str]:
    return list(inspect(image)["RootFS"]["Layers"])


def run_python(image: str, script: str) -> str:
    return docker("run", "--rm", "--network", "none", "--entrypoint", "python", image, "-c", script)


@pytest.mark.usefixtures("stacks")
@pytest.mark.parametrize("name", WITHOUT_TENSORFLOW)
def test_an_image_without_tensorflow_adds_less_than_130_mb_to_its_base(name: str) -> None:
    python_image, _ = BASE_IMAGES
    added = inspect(tag(name))["Size"] - inspect(python_image)["Size"]
    assert 10 * MEGABYTE < added < 130 * MEGABYTE


@pytest.mark.usefixtures("stacks")
@pytest.mark.parametrize("name", WITHOUT_TENSORFLOW)
def test_an_image_without_tensorflow_has_only_its_protobuf_modules(name: str) -> None:
    output = run_python(
        tag(name),
        "import pathlib, importlib.metadata as metadata\n"
        "files = [path for path in pathlib.Path('/packages/tensorflow').rglob('*') if path.is_file()]\n"
        "print(*(path.name for path in files if path.suffix != '.pyc' and path.stat().st_size))\n"
        "print(*(d.name for d in metadata.distributions() if d.name.startswith('tensorflow')))",
    )
    files, distributions = (line.split() for line in output.splitlines())
    assert len(files) > 5
    assert [file for file in files if not file.endswith("_pb2.py")] == []
    assert distributions == ["tensorflow-serving-api"]


@pytest.mark.usefixtures("stacks")
@pytest.mark.parametrize("name", [*WITHOUT_TENSORFLOW, *MODEL_IMAGES])
def test_an_image_has_labels_an_unprivileged_user_and_a_health_check(name: str) -> None:
    config = inspect(tag(name))["Config"]
    prefix = "org.opencontainers.image"
    assert config["Labels"][f"{prefix}.title"] == name
    assert config["Labels"][f"{prefix}.version"] == VERSION
    assert len(config["Labels"][f"{prefix}.description"]) > 20
    assert config["User"] == "10001:10001"
    assert config["StopSignal"] == "SIGTERM"
    assert config["Healthcheck"]["Test"][0] == "CMD"


@pytest.mark.usefixtures("stacks")
@pytest.mark.parametrize("name", MODEL_IMAGES)
def test_a_model_image_adds_one_layer_to_the_image_of_its_server(name: str) -> None:
    """The layer holds the weights twice: in the SavedModel and in the OpenVINO IR."""
    servers = {tag(name): tf_serving_image(), f"{IMAGE}_{name}_local_{VERSION}": BUILT_HERE}
    for image, server in servers.items():
        assert layers(image)[: len(layers(server))] == layers(server)
        assert len(layers(image)) == len(layers(server)) + 1
        assert inspect(image)["Size"] - inspect(server)["Size"] < 220 * MEGABYTE


def test_a_new_version_number_reuses_all_layers(stacks: dict[str, Stack]) -> None:
    other = f"{VERSION}-again"
    stacks[TENSORFLOW].make("build_all", IMAGE_VERSION=other)
    for name in (*WITHOUT_TENSORFLOW, *MODEL_IMAGES):
        again = f"{IMAGE}_{name}_{other}"
        assert layers(again) == layers(tag(name))
        docker("image", "rm", again)
