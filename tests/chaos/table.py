"""The table that `make chaos` prints, in Markdown."""

from collections.abc import Iterable, Sequence
from typing import Final

from tests.chaos.campaign import CampaignResult

HEADER: Final = ("fault", "injected", "accepted", "succeeded", "failed", "lost", "duplicated", "seconds to recover")


def table(results: Sequence[CampaignResult]) -> str:
    """The last column is the median and the maximum; in the last row, the maximum."""
    return markdown([HEADER, *(row(result) for result in results), total(results)])


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """The first row is the header. All columns but the first are aligned to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["| " + " | ".join(aligned(line, widths)) + " |" for line in rows]
    rule = "|" + "|".join("-" * (width + 1) + (":" if column else "-") for column, width in enumerate(widths)) + "|"
    return "\n".join([lines[0], rule, *lines[1:]])


def row(result: CampaignResult) -> tuple[str, ...]:
    return (result.fault, *map(str, counts([result])), f"{result.median_recovery_s:.1f}, {result.max_recovery_s:.1f}")


def total(results: Sequence[CampaignResult]) -> tuple[str, ...]:
    return ("all", *map(str, counts(results)), f"{max(result.max_recovery_s for result in results):.1f}")


def counts(results: Iterable[CampaignResult]) -> Iterable[int]:
    columns = (
        (each.injected, each.accepted, each.audit.succeeded, each.audit.failed,
         len(each.audit.lost), len(each.audit.duplicated))
        for each in results
    )  # fmt: skip
    return map(sum, zip(*columns, strict=True))


def aligned(cells: Sequence[str], widths: Sequence[int]) -> Iterable[str]:
    return (
        cell.rjust(width) if column else cell.ljust(width)
        for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
