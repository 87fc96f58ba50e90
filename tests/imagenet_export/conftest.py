"""Both models, exported once for all runs of the tests.

No test downloads anything: an export gets its weights from a directory, or runs where the network is out of reach.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from imagenet_export import weights
from imagenet_export.architecture import Architecture
from imagenet_export.publishing import ModelFolder
from imagenet_inception_v3.export import INCEPTION_V3
from imagenet_mobilenet_v2.export import MOBILENET_V2
from tests.imagenet_export.images import REPOSITORY
from tests.imagenet_export.machine import Machine
from tests.imagenet_export.networks import Exported, export, kept_folder, lively_network, served

KERAS_BEFORE_NUMPY_2 = "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"
"""Keras 3.15 converts its variables (`save_weights`, among others) with an `__array__` from before NumPy 2."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings(KERAS_BEFORE_NUMPY_2))


@pytest.fixture(scope="session", params=[MOBILENET_V2, INCEPTION_V3], ids=lambda architecture: architecture.name)
def exported(request: pytest.FixtureRequest) -> Iterator[Exported]:
    architecture: Architecture = request.param
    kept = kept_folder(architecture, "lively")
    original = lively_network(architecture, kept / "weights")
    assert export(architecture, kept / "models", weights=kept / "weights") == 0
    newest = ModelFolder(kept / "models", architecture.name).newest()
    assert newest is not None
    with served(newest.path) as model:
        yield Exported(architecture, original, newest.path, model)


@pytest.fixture(scope="session")
def imagenet_weights() -> Path:
    """A directory with MobileNetV2's real weights: IMAGENET_WEIGHTS_DIR, or the one beside the repository."""
    beside = {weights.WEIGHTS_DIR: str(REPOSITORY.parent / "shared" / "weights")}
    found = weights.find(MOBILENET_V2).file or weights.find(MOBILENET_V2, beside).file
    if found is None:
        pytest.skip(f"no {MOBILENET_V2.weights_file} in {weights.WEIGHTS_DIR}: photographs can't be named without it")
    return found.parent


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.fixture(scope="session")
def untrained_machine(tmp_path_factory: pytest.TempPathFactory) -> tuple[Machine, str]:
    """A machine that exported untrained weights, and what the command said."""
    machine = Machine(tmp_path_factory.mktemp("untrained"))
    finished = machine.run("--allow-untrained")
    assert finished.returncode == 0, finished.stderr
    return machine, finished.stdout


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with weights under the right name."""
    directory = tmp_path_factory.mktemp("weights")
    lively_network(MOBILENET_V2, directory)
    return directory


@pytest.fixture(scope="session")
def exported_once(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A models directory with one version of those weights, to be copied."""
    models = tmp_path_factory.mktemp("exported")
    assert export(MOBILENET_V2, models, weights=trained) == 0
    return models
