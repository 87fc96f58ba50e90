"""The rows, as a table for people: in a terminal, and in Markdown."""

from collections.abc import Iterable, Sequence

from rich.table import Table

from bench.row import Row

HEADER = ("", "asked", "measured", "minimum", "maximum", "reached")


def cells(row: Row) -> tuple[str, ...]:
    asked = f"{row.limit.sense} {number(row.limit.value)} {row.unit}" if row.limit else ""
    if row.measured is None:
        return (row.name, asked, row.note, "", "", "")
    found = (
        f"{number(value)} {row.unit}" for value in (row.measured.median, row.measured.minimum, row.measured.maximum)
    )
    reached = {None: "", True: "yes", False: "**no**"}[row.reached]
    return (row.name, asked, *found, reached)


def number(value: float) -> str:
    """Three digits that mean something; whole numbers from 100 on."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.{2 if abs(value) < 10 else 1}f}"


def asked(rows: Iterable[Row]) -> list[Row]:
    """What could not be measured is not left out."""
    return [row for row in rows if row.limit or row.measured is None]


def further(rows: Iterable[Row]) -> list[Row]:
    return [row for row in rows if not row.limit and row.measured]


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
