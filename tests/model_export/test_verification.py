"""A version is compared with its network before it is published."""

import keras
import pytest

from model_export import verification
from model_export.errors import VerificationFailed
from tests.model_export.networks import ExportedModel, expectation

pytestmark = pytest.mark.timeout(300)  # the first test that uses a model may have to export it


def test_a_version_with_the_scores_of_its_network_passes(model: ExportedModel) -> None:
    assert verification.verify(model.version, expectation(model.recipe, model.network)) < 0.005


def test_a_version_with_other_scores_fails(model: ExportedModel) -> None:
    other = keras.Model(model.network.input, keras.ops.flip(model.network.output, axis=-1))
    with pytest.raises(VerificationFailed, match=r"the exported scores \(SavedModel\) differ from the network's by 0"):
        verification.verify(model.version, expectation(model.recipe, other))
