"""A version is asked before it is published."""

import pytest

from imagenet_export import network, untrained, verification
from imagenet_export.errors import ExportUnsound
from tests.imagenet_export.networks import Exported

pytestmark = pytest.mark.timeout(300)  # the first test to ask for a model may have to export it


def test_a_version_that_answers_as_its_network_does_is_sound(exported: Exported) -> None:
    verification.check(exported.architecture, exported.version, exported.network)


def test_a_version_that_answers_otherwise_is_not(exported: Exported) -> None:
    other = network.constructor(exported.architecture)(weights=None)
    untrained.initialise(other)  # the exported one differs in its batch normalisations
    with pytest.raises(ExportUnsound, match="the exported scores differ from the network's by 0"):
        verification.check(exported.architecture, exported.version, other)
