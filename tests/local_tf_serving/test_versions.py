from pathlib import Path

import pytest

from local_tf_serving import versions


def test_only_names_that_are_an_int64_are_versions(tmp_path: Path) -> None:
    for name in ("1", "000123", "-5", "9223372036854775807"):
        (tmp_path / name).mkdir()
    for name in ("9223372036854775808", "1a", "1.0", "+2", "1_0", "tmp-3", ".4", "\N{DEVANAGARI DIGIT ONE}", " 6"):
        (tmp_path / name).mkdir()
    assert versions.find(tmp_path) == {
        -5: tmp_path / "-5",
        1: tmp_path / "1",
        123: tmp_path / "000123",
        2**63 - 1: tmp_path / "9223372036854775807",
    }


def test_the_last_of_several_names_with_the_same_value_counts(tmp_path: Path) -> None:
    for name in ("1", "01", "001"):
        (tmp_path / name).mkdir()
    assert versions.find(tmp_path) == {1: tmp_path / "1"}


def test_an_empty_base_path_has_no_versions_and_a_missing_one_is_an_error(tmp_path: Path) -> None:
    assert versions.find(tmp_path) == {}
    with pytest.raises(FileNotFoundError):
        versions.find(tmp_path / "missing")
