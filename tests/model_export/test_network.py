"""Weights from Keras."""

import socket
import urllib.request
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import pytest
from keras.src.utils import file_utils

from model_export import network, weights
from model_export.progress import Progress
from model_export.recipe import Location, Recipe
from tests.model_export.networks import untrained_network
from tests.model_export.recipes import INCEPTION_V3, MOBILENET_V2
from tests.model_export.sandbox import Sandbox


class DownloadRequested(Exception):
    pass


@pytest.mark.slow
@pytest.mark.parametrize("recipe", [MOBILENET_V2, INCEPTION_V3], ids=lambda recipe: recipe.name)
def test_keras_stores_its_download_under_the_expected_name(recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    def get_file(name: str, origin: str, *, cache_subdir: str, **_: Any) -> str:
        raise DownloadRequested(f"{cache_subdir}/{name}")

    monkeypatch.setattr(file_utils, "get_file", get_file)
    with pytest.raises(DownloadRequested, match=f"^models/{recipe.application.keras_weights_file}$"):
        network.construct(recipe, weights="imagenet")


def test_a_download_in_the_cache_of_keras_is_loaded(
    mobilenet_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    mobilenet_sandbox.download.parent.mkdir()
    original = untrained_network(MOBILENET_V2)
    keras.saving.save_model(original, mobilenet_sandbox.download)
    monkeypatch.setattr("keras.src.backend.config._KERAS_DIR", str(mobilenet_sandbox.home))
    local = weights.find(MOBILENET_V2, {"KERAS_HOME": str(mobilenet_sandbox.home)})
    progress = Progress("mobilenet_v2")
    loaded, origin = network.build(MOBILENET_V2, Location(), local, allow_untrained=False, progress=progress)
    assert origin == weights.KERAS
    for expected, actual in zip(original.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(actual, expected)


@pytest.fixture
def silent_server() -> Iterator[str]:
    """The address of a server that accepts connections and sends nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/weights.h5"


def test_a_download_times_out_when_the_server_sends_nothing(silent_server: str) -> None:
    with network._socket_timeout(0.1), pytest.raises(TimeoutError):
        urllib.request.build_opener(urllib.request.ProxyHandler({})).open(silent_server)
    assert socket.getdefaulttimeout() is None
