"""The runs as pictures: SVG, small enough to be kept with the code."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

mpl.rcParams.update({"svg.hashsalt": "bench", "font.size": 9, "figure.figsize": (6.4, 3.2), "svg.fonttype": "none"})


def draw(series: Mapping[str, Any], directory: Path) -> list[Path]:
    directory.mkdir(exist_ok=True)
    drawn = []
    for name, runs in series.items():
        if name.startswith("throughput"):
            drawn.append(_saved(directory / f"{_slug(name)}.svg", _throughput, name, runs))
        elif name == "fast path, ms":
            drawn.append(_saved(directory / f"{_slug(name)}.svg", _latencies, name, runs))
    return drawn


def _throughput(axes: Axes, name: str, runs: Mapping[str, Mapping[str, list[float]]]) -> None:
    """Each run is a point; the line goes through the medians."""
    for side, label in (("direct", "direct gRPC"), ("proxy", "through the proxy")):
        points = [(clients, sorted(found[side])) for clients, found in runs.items()]
        line = axes.plot([c for c, _ in points], [values[len(values) // 2] for _, values in points], label=label)[0]
        for clients, values in points:
            axes.plot([clients] * len(values), values, ".", color=line.get_color(), alpha=0.5)
    axes.set(title=name, xlabel="clients", ylabel="images a second", ylim=(0, None))
    axes.legend()


def _latencies(axes: Axes, name: str, runs: Mapping[str, list[list[float]]]) -> None:
    """How many answers took longer."""
    for side, label in (("empty", "empty queue"), ("behind", "a thousand jobs behind")):
        values = sorted(value for run in runs[side] for value in run)
        shares = [(len(values) - rank) / len(values) for rank in range(len(values))]
        axes.step(values, shares, where="post", label=label)
    axes.set(title="fast answer", xlabel="ms", ylabel="share that took longer", yscale="log")
    axes.legend()


def _saved(path: Path, draw_on: Any, name: str, runs: Any) -> Path:
    figure = Figure(layout="constrained")
    axes = figure.add_subplot()
    draw_on(axes, name, runs)
    axes.grid(alpha=0.3)
    figure.savefig(path, metadata={"Date": None})
    return path


def _slug(name: str) -> str:
    return "-".join(name.replace(",", "").lower().split())
