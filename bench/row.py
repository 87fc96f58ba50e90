"""One figure: what is asked of it, and what was measured."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self

from bench.spread import Spread


@dataclass(frozen=True, slots=True)
class Limit:
    """Which values are reached: at most, or at least, `value`."""

    sense: Literal["≤", "≥"]
    value: float

    def admits(self, measured: float) -> bool:
        return measured <= self.value if self.sense == "≤" else measured >= self.value


@dataclass(frozen=True, slots=True)
class Row:
    name: str
    unit: str
    measured: Spread | None
    """None where it could not be measured; then `note` says why."""
    limit: Limit | None = None
    note: str = ""

    @classmethod
    def of(cls, name: str, unit: str, values: Iterable[float], limit: Limit | None = None, note: str = "") -> Self:
        return cls(name, unit, Spread.of(values), limit, note)

    @property
    def reached(self) -> bool | None:
        """By the median. None where nothing is asked or nothing was measured."""
        return None if self.limit is None or self.measured is None else self.limit.admits(self.measured.median)

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "reached": self.reached}


def at_most(value: float) -> Limit:
    return Limit("≤", value)


def at_least(value: float) -> Limit:
    return Limit("≥", value)
