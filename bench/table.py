"""The rows as a table, for the terminal and in Markdown."""

from collections.abc import Iterable, Sequence
from typing import Final

from rich.table import Table

from bench.row import Row

HEADER: Final = ("", "target", "measured", "minimum", "maximum", "met")


def cells(row: Row) -> tuple[str, ...]:
    target = f"{row.target.sense} {number(row.target.value)} {row.unit}" if row.target else ""
    if row.measured is None:
        return (row.name, target, row.note, "", "", "")
    values = (
        f"{number(value)} {row.unit}" for value in (row.measured.median, row.measured.minimum, row.measured.maximum)
    )
    return (row.name, target, *values, {None: "", True: "yes", False: "**no**"}[row.is_met])


def number(value: float) -> str:
    """Format with three significant digits; from 100 on, as a whole number."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.{2 if abs(value) < 10 else 1}f}"


def with_target(rows: Iterable[Row]) -> list[Row]:
    """Include the rows that could not be measured."""
    return [row for row in rows if row.target or row.measured is None]


def without_target(rows: Iterable[Row]) -> list[Row]:
    return [row for row in rows if not row.target and row.measured]


def markdown(rows: Sequence[Row], columns: Sequence[int] = range(len(HEADER))) -> str:
    lines = [[HEADER[column] for column in columns], ["---" if column < 2 else "--:" for column in columns]]
    lines += [[cells(row)[column] for column in columns] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def terminal(rows: Sequence[Row], title: str) -> Table:
    table = Table(title=title, title_justify="left")
    for column, name in enumerate(HEADER):
        is_figure = 2 <= column <= 4
        table.add_column(name, justify="right" if is_figure else "left", min_width=8 if is_figure else None)
    for row in rows:
        table.add_row(*(cell.replace("**", "") for cell in cells(row)))
    return table
