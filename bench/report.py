"""The results of one run, as JSON and as the generated part of `bench/README.md`."""

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from bench.row import Row
from bench.table import markdown, with_target, without_target

README: Final = Path(__file__).with_name("README.md")
BEGIN: Final = "<!-- written by make bench -->"
END: Final = "<!-- end of the generated part -->"
COLUMNS_WITHOUT_TARGET: Final = (0, 2, 3, 4)


@dataclass(frozen=True, slots=True)
class Report:
    rows: list[Row]
    machine: dict[str, str]
    profile: str
    minutes: float
    load: tuple[float, float]
    """The machine's load average before and after the run."""
    series: dict[str, Any]

    def as_json(self) -> str:
        document = {
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "profile": self.profile,
            "minutes": round(self.minutes, 1),
            "machine": self.machine,
            "load_average": self.load,
            "rows": [row.as_json() for row in self.rows],
            "series": self.series,
        }
        return json.dumps(document, ensure_ascii=False, indent=1) + "\n"

    def as_markdown(self) -> str:
        machine, rows = self.machine, with_target(self.rows)
        met = sum(row.is_met is True for row in rows)
        plots = "\n".join(f"![{path.stem}](plots/{path.name})" for path in sorted(README.parent.glob("plots/*.svg")))
        notes = "\n".join(f"- {row.name}: {row.note}." for row in self.rows if row.note and row.measured)
        parts = [
            f"**{met} of {len(rows)} targets met**, by the median of interleaved runs. "
            f"{datetime.now(UTC):%Y-%m-%d}, one {self.profile} run of {self.minutes:.0f} minutes,\n"
            f"{machine['cores']} cores ({machine['processor']}), {machine['memory']}, {machine['system']}, "
            f"Python {machine['python']}, Redis {machine['redis']}, grpcio {machine['grpcio']}.\n"
            f"Commit {machine['commit']}. The load average before the run was {self.load[0]:.1f}.",
            markdown(rows),
            notes,
            plots,
            "## Further figures",
            markdown(without_target(self.rows), COLUMNS_WITHOUT_TARGET),
        ]
        return "\n\n".join(part for part in parts if part)

    def write_readme(self) -> None:
        """Replace the text between the markers."""
        text = README.read_text("utf-8")
        block = f"{BEGIN}\n\n{self.as_markdown()}\n\n{END}"
        README.write_text(re.sub(f"{BEGIN}.*{END}", lambda _: block, text, flags=re.DOTALL), "utf-8")
