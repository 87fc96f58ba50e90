"""The result of one run of a load generator."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self


class LoadFailed(Exception):
    """Some requests failed, so the measured values mean nothing."""


@dataclass(frozen=True, slots=True)
class Load:
    requests: int
    seconds: float
    p50_ms: float
    p90_ms: float
    p99_ms: float
    max_ms: float

    @property
    def per_second(self) -> float:
        return self.requests / self.seconds

    @classmethod
    def from_report(cls, output: str) -> Self:
        """Parse the last line of a generator's output: JSON with times in microseconds. Raises `LoadFailed`."""
        lines = [line for line in output.splitlines() if line.startswith("{")]
        if not lines:
            raise LoadFailed(f"the load generator printed no report: {output.strip()[-500:]}")
        report = json.loads(lines[-1])
        if report["failed"] or not report["requests"]:
            raise LoadFailed(f"{report['failed']} of {report['requests']} requests failed")
        in_ms = {f"{name}_ms": report[name] / 1000 for name in ("p50", "p90", "p99", "max")}
        return cls(requests=report["requests"], seconds=report["duration"] / 1e6, **in_ms)


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the smallest value that `percent` of the values do not exceed (nearest rank, as in wrk)."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]
