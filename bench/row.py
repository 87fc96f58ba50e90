"""One figure: its target and its measured value."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self

from bench.runs import Summary


@dataclass(frozen=True, slots=True)
class Target:
    """A figure should be at most, or at least, `value`."""

    sense: Literal["≤", "≥"]
    value: float

    def is_met_by(self, measured: float) -> bool:
        return measured <= self.value if self.sense == "≤" else measured >= self.value


@dataclass(frozen=True, slots=True)
class Row:
    name: str
    unit: str
    measured: Summary | None
    """None if it could not be measured; `note` says why."""
    target: Target | None = None
    note: str = ""

    @classmethod
    def of(cls, name: str, unit: str, values: Iterable[float], target: Target | None = None, note: str = "") -> Self:
        return cls(name, unit, Summary.of(values), target, note)

    @property
    def is_met(self) -> bool | None:
        """Whether the median meets the target. None without a target or a measured value."""
        return None if self.target is None or self.measured is None else self.target.is_met_by(self.measured.median)

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "is_met": self.is_met}


def at_most(value: float) -> Target:
    return Target("≤", value)


def at_least(value: float) -> Target:
    return Target("≥", value)
