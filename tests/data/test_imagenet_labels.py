"""`data/imagenet_labels.json`: the class name of each score."""

import json
from collections import Counter
from pathlib import Path
from typing import Final

import pytest

LABELS: Final = Path(__file__).parents[2] / "data" / "imagenet_labels.json"


@pytest.fixture(scope="module")
def labels() -> list[str]:
    names: list[str] = json.loads(LABELS.read_text(encoding="utf-8"))
    return names


def test_there_is_a_name_for_each_of_the_1001_scores(labels: list[str]) -> None:
    assert len(labels) == 1001


@pytest.mark.parametrize(
    ("index", "name"),
    [
        (0, "background"),
        (1, "tench"),
        (2, "goldfish"),
        (89, "macaw"),
        (135, "crane"),
        (208, "golden retriever"),
        (282, "tabby"),
        (284, "Persian cat"),
        (285, "Siamese cat"),
        (286, "Egyptian cat"),
        (389, "giant panda"),
        (518, "crane"),
        (639, "maillot"),
        (640, "maillot"),
        (837, "sunglass"),  # a magnifying lens; the next class is worn
        (838, "sunglasses"),
        (935, "hotdog"),
        (955, "banana"),
        (1000, "toilet tissue"),
    ],
)
def test_the_labels_have_the_order_of_keras_after_the_background(labels: list[str], index: int, name: str) -> None:
    assert labels[index] == name


def test_each_class_has_one_name_in_plain_spelling(labels: list[str]) -> None:
    assert all(name == name.strip() and name for name in labels)
    assert not [name for name in labels if "," in name or "_" in name]


def test_only_two_names_occur_twice(labels: list[str]) -> None:
    assert {name for name, count in Counter(labels).items() if count > 1} == {"crane", "maillot"}
