"""Keras's part in finding weights."""

import socket
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from keras.src.utils import file_utils

from imagenet_export import network
from imagenet_export.architecture import Architecture
from imagenet_inception_v3.export import INCEPTION_V3
from imagenet_mobilenet_v2.export import MOBILENET_V2


class AskedForError(Exception):
    pass


@pytest.mark.parametrize("architecture", [MOBILENET_V2, INCEPTION_V3], ids=lambda architecture: architecture.name)
def test_keras_keeps_its_download_under_the_name_that_is_looked_for(
    architecture: Architecture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def get_file(name: str, origin: str, *, cache_subdir: str, **_: Any) -> str:
        raise AskedForError(f"{cache_subdir}/{name}")

    monkeypatch.setattr(file_utils, "get_file", get_file)
    with pytest.raises(AskedForError, match=f"^models/{architecture.keras_weights_file}$"):
        network.constructor(architecture)(weights="imagenet")


@pytest.fixture
def silent_server() -> Iterator[str]:
    """The address of a server that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/weights.h5"


def test_a_download_that_falls_silent_is_given_up(silent_server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "_DOWNLOAD_SILENCE", 0.1)
    with network._impatient_sockets(), pytest.raises(TimeoutError):
        urllib.request.build_opener(urllib.request.ProxyHandler({})).open(silent_server)
    assert socket.getdefaulttimeout() is None
