"""One run, as JSON for machines and as the first part of `bench/README.md` for people."""

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from bench.row import Row
from bench.table import asked, further, markdown

README: Final = Path(__file__).with_name("README.md")
BEGIN: Final = "<!-- written by make bench -->"
END: Final = "<!-- until here -->"
NO_LIMITS: Final = (0, 2, 3, 4)


@dataclass(frozen=True, slots=True)
class Report:
    rows: list[Row]
    machine: dict[str, str]
    effort: str
    minutes: float
    load: tuple[float, float]
    """The machine's load average before and after."""
    series: dict[str, Any]

    def as_json(self) -> str:
        whole = {
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "effort": self.effort,
            "minutes": round(self.minutes, 1),
            "machine": self.machine,
            "load_average": self.load,
            "rows": [row.as_json() for row in self.rows],
            "series": self.series,
        }
        return json.dumps(whole, ensure_ascii=False, indent=1) + "\n"

    def as_markdown(self) -> str:
        of, measured = self.machine, asked(self.rows)
        reached = sum(row.reached is True for row in measured)
        plots = "\n".join(f"![{path.stem}](plots/{path.name})" for path in sorted(README.parent.glob("plots/*.svg")))
        notes = "\n".join(f"- {row.name}: {row.note}." for row in self.rows if row.note and row.measured)
        parts = [
            f"**{reached} of {len(measured)} figures reached**, by the median of interleaved runs. "
            f"{datetime.now(UTC):%Y-%m-%d}, one {self.effort} run of {self.minutes:.0f} minutes,\n"
            f"{of['cores']} cores ({of['processor']}), {of['memory']}, {of['system']}, Python {of['python']}, "
            f"Redis {of['redis']}, grpcio {of['grpcio']}.\n"
            f"The code is commit {of['code']}. The load average before it was {self.load[0]:.1f}: what others took.",
            markdown(measured),
            notes,
            plots,
            "## Further figures",
            markdown(further(self.rows), NO_LIMITS),
        ]
        return "\n\n".join(part for part in parts if part)

    def write_readme(self) -> None:
        """Put this run between the markers, and leave the rest as it is."""
        text = README.read_text("utf-8")
        block = f"{BEGIN}\n\n{self.as_markdown()}\n\n{END}"
        README.write_text(re.sub(f"{BEGIN}.*{END}", lambda _: block, text, flags=re.DOTALL), "utf-8")
