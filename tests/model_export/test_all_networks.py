"""Every network of keras.applications, with random weights: `make test_all_networks`. Takes hours and many gigabytes.

NETWORKS="ResNet50 VGG16" selects some; NETWORKS=all is every one. Without it, these tests are skipped.
"""

import os
import shutil
from pathlib import Path
from typing import Final

import numpy as np
import pytest

from model_export import examples, verification
from model_export.applications import APPLICATIONS, Application
from tests.local_tf_serving.loaded_model import loaded_model
from tests.model_export.own_models import run_export

CHOSEN: Final = os.environ.get("NETWORKS", "").split()
NETWORKS: Final = [name for name in APPLICATIONS if name in CHOSEN or CHOSEN == ["all"]]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]


@pytest.mark.skipif(not NETWORKS, reason="runs by hand: make test_all_networks NETWORKS='ResNet50 VGG16', or all")
@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_is_exported_and_has_the_same_scores_in_both_engines(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setenv("IMAGENET_WEIGHTS_DIR", "")
    monkeypatch.setattr("model_export.network._from_keras", no_download)
    assert run_export(name, tmp_path, "--allow-untrained") == 0
    version = tmp_path / "own" / "1"
    photographs = examples.photographs()[:2]
    scores = verification.predict(version, photographs)
    assert scores.shape == (2, 1000)
    assert np.abs(scores[0] - scores[1]).max() > 1e-4, "the weights must distinguish images"
    with loaded_model(version, "openvino") as model:
        np.testing.assert_allclose(model.scores(photographs), scores, atol=0.005)
    shutil.rmtree(tmp_path)


def no_download(recipe: object, local: object, progress: object) -> Application:
    from model_export.errors import WeightsUnavailable

    raise WeightsUnavailable("this test downloads nothing")
