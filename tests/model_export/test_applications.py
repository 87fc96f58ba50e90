"""The table of networks equals what Keras says."""

from typing import Any

import keras
import numpy as np
import pytest

from model_export import scaling
from model_export.applications import APPLICATIONS, Application, similar_names

NETWORKS = [pytest.param(application, id=name) for name, application in APPLICATIONS.items()]


def test_the_table_has_every_network_of_keras() -> None:
    names = {name for name in dir(keras.applications) if name[0].isupper()}
    assert APPLICATIONS.keys() == names


@pytest.mark.parametrize("application", NETWORKS)
def test_pixels_are_scaled_as_keras_scales_them(application: Application) -> None:
    module: Any = getattr(keras.applications, application.module)
    rgb = np.random.default_rng(1).uniform(0, 255, (2, 4, 4, 3)).astype(np.float32)
    expected = module.preprocess_input(rgb.copy())
    np.testing.assert_allclose(scaling.scale(application.scale, rgb), expected, atol=1e-4)
    np.testing.assert_allclose(scaling.expected(application.scale, rgb), expected, atol=1e-4)


def test_no_two_networks_share_a_file_of_weights() -> None:
    for files in ("weights_file", "keras_weights_file"):
        assert len({getattr(application, files) for application in APPLICATIONS.values()}) == len(APPLICATIONS)


def test_similar_names_are_found_in_any_spelling() -> None:
    assert similar_names("resnet50v2")[0] == "ResNet50V2"
    assert similar_names("EfficentNet-B3")[0] == "EfficientNetB3"
