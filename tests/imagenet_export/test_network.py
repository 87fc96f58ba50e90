"""Weights from Keras."""

import socket
import urllib.request
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import pytest
from keras.src.utils import file_utils

from imagenet_export import network, weights
from imagenet_export.architecture import Architecture
from imagenet_export.progress import Progress
from imagenet_inception_v3.export import INCEPTION_V3
from imagenet_mobilenet_v2.export import MOBILENET_V2
from tests.imagenet_export.networks import untrained_network
from tests.imagenet_export.sandbox import Sandbox


class DownloadRequested(Exception):
    pass


@pytest.mark.slow
@pytest.mark.parametrize("architecture", [MOBILENET_V2, INCEPTION_V3], ids=lambda architecture: architecture.name)
def test_keras_stores_its_download_under_the_expected_name(
    architecture: Architecture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def get_file(name: str, origin: str, *, cache_subdir: str, **_: Any) -> str:
        raise DownloadRequested(f"{cache_subdir}/{name}")

    monkeypatch.setattr(file_utils, "get_file", get_file)
    with pytest.raises(DownloadRequested, match=f"^models/{architecture.keras_weights_file}$"):
        network.constructor(architecture)(weights="imagenet")


def test_a_download_in_the_cache_of_keras_is_loaded(
    mobilenet_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    mobilenet_sandbox.download.parent.mkdir()
    original = untrained_network(MOBILENET_V2)
    keras.saving.save_model(original, mobilenet_sandbox.download)
    monkeypatch.setattr("keras.src.backend.config._KERAS_DIR", str(mobilenet_sandbox.home))
    local = weights.find(MOBILENET_V2, {"KERAS_HOME": str(mobilenet_sandbox.home)})
    loaded, origin = network.build(MOBILENET_V2, local, allow_untrained=False, progress=Progress("mobilenet_v2"))
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
