"""Warm-up requests on a full disk. test_saved_model.py replays the requests."""

import errno
from pathlib import Path

import pytest

from model_export import warmup
from tests.model_export.recipes import MOBILENET_V2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
def test_a_full_disk_raises_the_same_error_as_for_any_other_file(tmp_path: Path) -> None:
    (tmp_path / "assets.extra").mkdir()
    (tmp_path / "assets.extra" / "tf_serving_warmup_requests").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left") as caught:
        warmup.write(MOBILENET_V2, tmp_path)
    assert caught.value.errno == errno.ENOSPC
