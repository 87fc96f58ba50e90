"""Exported models, which are cached between test runs.

No test downloads anything: exports take their weights from a directory, or run without a network.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import keras
import pytest

from harness.models import WEIGHTS_DIR
from model_export.recipe import Recipe
from tests.model_export.networks import (
    ExportedModel,
    cached_export,
    cached_random_weights,
    exported_model,
    random_network,
    write_random_weights,
)
from tests.model_export.recipes import INCEPTION_V3, MOBILENET_V2
from tests.model_export.sandbox import Sandbox
from tests.model_export.tiny import TINY, tiny_application

KERAS_BEFORE_NUMPY_2: Final = "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"
"""Keras 3.15 converts variables, for example in `save_weights`, with an `__array__` from before NumPy 2."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings(KERAS_BEFORE_NUMPY_2))


@pytest.fixture(scope="session", params=[MOBILENET_V2, INCEPTION_V3], ids=lambda recipe: recipe.name)
def model(slow: None, request: pytest.FixtureRequest) -> Iterator[ExportedModel]:
    """Each of the two models, with random weights."""
    recipe: Recipe = request.param
    weights = cached_random_weights(recipe)
    version = cached_export(recipe, "random", weights=weights)
    with exported_model(recipe, random_network(recipe, weights), version) as model:
        yield model


@pytest.fixture(scope="session")
def imagenet_weights(slow: None) -> Path:
    """A directory with MobileNetV2's ImageNet weights."""
    file = MOBILENET_V2.application.weights_file
    if not (WEIGHTS_DIR / file).is_file():
        pytest.skip(f"needs {file} in IMAGENET_WEIGHTS_DIR: other weights give meaningless labels")
    return WEIGHTS_DIR


@pytest.fixture(scope="session")
def mobilenet(imagenet_weights: Path) -> Iterator[ExportedModel]:
    """MobileNetV2 with ImageNet weights."""
    version = cached_export(MOBILENET_V2, "imagenet", weights=imagenet_weights)
    original = keras.applications.MobileNetV2(weights=None)
    original.load_weights(imagenet_weights / MOBILENET_V2.application.weights_file)
    with exported_model(MOBILENET_V2, original, version) as model:
        yield model


@pytest.fixture(scope="session")
def untrained_export(slow: None, tmp_path_factory: pytest.TempPathFactory) -> tuple[Sandbox, str]:
    """A sandbox in which a process exported MobileNetV2 with untrained weights, and the output of that process."""
    sandbox = Sandbox(tmp_path_factory.mktemp("untrained"), MOBILENET_V2)
    finished = sandbox.run("--allow-untrained")
    assert finished.returncode == 0, finished.stderr
    return sandbox, finished.stdout


@pytest.fixture
def mobilenet_sandbox(slow: None, tmp_path: Path) -> Sandbox:
    return Sandbox(tmp_path, MOBILENET_V2)


@pytest.fixture(scope="session")
def tiny_weights(slow: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A directory with weights of the tiny network, which can be exported while this fixture is in use."""
    with tiny_application():
        weights = tmp_path_factory.mktemp("weights")
        write_random_weights(TINY, weights)
        yield weights


@pytest.fixture(scope="session")
def tiny_export(tiny_weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a version with those weights, for tests to copy."""
    sandbox = Sandbox(tmp_path_factory.mktemp("exported"), TINY)
    assert sandbox.export(weights=tiny_weights) == 0
    return sandbox.folder / "1"


@pytest.fixture
def sandbox(tmp_path: Path, tiny_weights: Path) -> Sandbox:
    """A sandbox for the tiny network."""
    return Sandbox(tmp_path, TINY)
