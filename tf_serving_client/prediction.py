"""The best labels of one payload."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from heapq import nlargest
from operator import itemgetter
from typing import Final, Self

TOP_K: Final = 5
"""ImageNet also reports top-5 accuracy: whether the right class is among the best five."""


class NotFinite(ValueError):
    pass


@dataclass(frozen=True, slots=True)
class Prediction:
    """`top_k` holds pairs (label, score), best first; scores are probabilities from 0 to 1."""

    model: str
    version: int
    top_k: tuple[tuple[str, float], ...]

    @classmethod
    def from_scores(
        cls, model: str, version: int, scores: Sequence[float], labels: Sequence[str], *, are_logits: bool = False
    ) -> Self:
        """`scores` holds a float32 for each label. Raises `ValueError` otherwise, `NotFinite` if one is not finite.

        Logits are turned into probabilities by a softmax.
        """
        if len(scores) != len(labels):
            raise ValueError(f"{len(scores)} scores for {len(labels)} labels")
        if not math.isfinite(sum(scores)):
            raise NotFinite("scores that are not finite")
        best = nlargest(TOP_K, zip(scores, labels, strict=True), key=itemgetter(0))
        if are_logits:
            highest = best[0][0]  # without subtracting it, `exp` would overflow
            total = sum(math.exp(score - highest) for score in scores)
            best = [(math.exp(score - highest) / total, label) for score, label in best]
        return cls(model, version, tuple((label, round(score, 6)) for score, label in best))

    @property
    def label(self) -> str:
        return self.top_k[0][0]

    @property
    def score(self) -> float:
        return self.top_k[0][1]

    def as_answer(self) -> dict[str, object]:
        """Return the JSON object that a job stores."""
        return {
            "model": self.model,
            "version": self.version,
            "label": self.label,
            "score": self.score,
            "top_k": self.top_k,
        }
