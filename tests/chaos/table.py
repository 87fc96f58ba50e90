"""The table that `make chaos` prints."""

from collections.abc import Iterable, Sequence
from typing import Final

from tests.chaos.campaign import Outcome

HEAD: Final = ("fault", "injected", "accepted", "succeeded", "failed", "lost", "doubled", "seconds to recover")


def table(outcomes: Sequence[Outcome]) -> str:
    """In Markdown, which reads as well on a terminal. The last column: median, and the longest."""
    rows = [HEAD, *(row(outcome) for outcome in outcomes), total(outcomes)]
    widths = [max(len(line[column]) for line in rows) for column in range(len(HEAD))]
    lines = ["| " + " | ".join(aligned(line, widths)) + " |" for line in rows]
    rule = "|" + "|".join("-" * (width + 1) + (":" if column else "-") for column, width in enumerate(widths)) + "|"
    return "\n".join([lines[0], rule, *lines[1:]])


def row(outcome: Outcome) -> tuple[str, ...]:
    median, longest = outcome.recovery
    return (outcome.fault, *map(str, counts([outcome])), f"{median:.1f}, {longest:.1f}")


def total(outcomes: Sequence[Outcome]) -> tuple[str, ...]:
    return ("all", *map(str, counts(outcomes)), f"{max(outcome.recovery[1] for outcome in outcomes):.1f}")


def counts(outcomes: Iterable[Outcome]) -> Iterable[int]:
    columns = (
        (each.injected, each.accepted, each.verdict.succeeded, each.verdict.failed,
         len(each.verdict.lost), len(each.verdict.doubled))
        for each in outcomes
    )  # fmt: skip
    return map(sum, zip(*columns, strict=True))


def aligned(cells: Sequence[str], widths: Sequence[int]) -> Iterable[str]:
    return (
        cell.rjust(width) if column else cell.ljust(width)
        for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
