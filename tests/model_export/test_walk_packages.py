"""docs/your-own-models.md installs the versions with which the tests run it."""

import re

from harness.process import ROOT

WALK = (ROOT / "docs" / "your-own-models.md").read_text("utf-8")


def test_the_walk_installs_the_versions_that_the_tests_use() -> None:
    (installed,) = re.findall(r"pip install --quiet (.*)", WALK)
    locked = re.findall(r"^(\S+==\S+)", (ROOT / "requirements" / "dev.txt").read_text("utf-8"), re.M)
    names = [package.partition("==")[0] for package in installed.split()]
    assert names == ["onnx", "tf2onnx"]
    assert set(installed.split()) <= set(locked)
