"""Plots the runs as SVG files that are small enough to commit."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

mpl.rcParams.update({"svg.hashsalt": "bench", "font.size": 9, "figure.figsize": (6.4, 3.2), "svg.fonttype": "none"})


def draw(series: Mapping[str, Any], directory: Path) -> list[Path]:
    directory.mkdir(exist_ok=True)
    paths = []
    for name, runs in series.items():
        if name.startswith("throughput"):
            paths.append(_save(directory / f"{_slug(name)}.svg", _throughput, name, runs))
        elif name == "fast path, ms":
            paths.append(_save(directory / f"{_slug(name)}.svg", _latencies, name, runs))
    return paths


def _throughput(axes: Axes, name: str, runs: Mapping[str, Mapping[str, list[float]]]) -> None:
    """Draw each run as a point, and a line through the medians."""
    for side, label in (("direct", "direct gRPC"), ("proxy", "through the proxy")):
        points = [(clients, sorted(rates[side])) for clients, rates in runs.items()]
        line = axes.plot([c for c, _ in points], [values[len(values) // 2] for _, values in points], label=label)[0]
        for clients, values in points:
            axes.plot([clients] * len(values), values, ".", color=line.get_color(), alpha=0.5)
    axes.set(title=name, xlabel="clients", ylabel="images per second", ylim=(0, None))
    axes.legend()


def _latencies(axes: Axes, name: str, runs: Mapping[str, list[list[float]]]) -> None:
    """Draw the share of answers that took longer than a given time."""
    for side, label in (("empty", "empty queue"), ("backlog", "1,000 jobs queued")):
        values = sorted(value for run in runs[side] for value in run)
        shares = [(len(values) - rank) / len(values) for rank in range(len(values))]
        axes.step(values, shares, where="post", label=label)
    axes.set(title="fast answer", xlabel="ms", ylabel="share that took longer", yscale="log")
    axes.legend()


def _save(path: Path, draw_on: Any, name: str, runs: Any) -> Path:
    figure = Figure(layout="constrained")
    axes = figure.add_subplot()
    draw_on(axes, name, runs)
    axes.grid(alpha=0.3)
    figure.savefig(path, metadata={"Date": None})
    return path


def _slug(name: str) -> str:
    return "-".join(name.replace(",", "").lower().split())
