"""A version is compared with its network before it is published."""

import keras
import pytest

from imagenet_export import verification
from imagenet_export.errors import VerificationFailed
from tests.imagenet_export.networks import ExportedModel

pytestmark = pytest.mark.timeout(300)  # the first test that uses a model may have to export it


def test_a_version_with_the_scores_of_its_network_passes(model: ExportedModel) -> None:
    verification.verify(model.architecture, model.version, model.network)


def test_a_version_with_other_scores_fails(model: ExportedModel) -> None:
    other = keras.Model(model.network.input, keras.ops.flip(model.network.output, axis=-1))
    with pytest.raises(VerificationFailed, match="the exported scores differ from the network's by 0"):
        verification.verify(model.architecture, model.version, other)
