"""The command line of a process that has only environment variables: `--help`, and a check for misspelled ones."""

import argparse
import difflib
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final

from service_settings import ROOT, ServiceSettings

MIN_SIMILARITY: Final = 0.85
"""As `difflib` computes it. Two swapped letters in a name of seven reach it; no setting of another process does."""
WIDTH: Final = 100


def parse_arguments(
    program: str, description: str, settings: type[ServiceSettings], args: Sequence[str] | None = None
) -> None:
    """Exit with 0 after `--help`, and with 2 and a message if there is any other argument."""
    argparse.ArgumentParser(
        prog=program,
        usage="[VARIABLE=VALUE…] %(prog)s [--help]",
        description=f"{description}\n\nEnvironment variables, with their defaults:\n\n{_table(settings)}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    ).parse_args(args)


def similar_settings(settings: type[ServiceSettings], environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield the variables that look like misspelled settings, each with that setting."""
    variables = settings.variables()
    for name in sorted(environment):
        if name.upper() not in variables:
            for match in difflib.get_close_matches(name.upper(), variables, n=1, cutoff=MIN_SIMILARITY):
                yield name, match


def _table(settings: type[ServiceSettings]) -> str:
    lines = []
    for name, field in settings.model_fields.items():
        lines.append(f"  {name.upper()}={_as_text(field.default)}")
        text = " ".join((field.description or "").replace("`", "").split())
        lines.append(textwrap.fill(text, WIDTH, initial_indent=" " * 8, subsequent_indent=" " * 8))
    return "\n".join(lines)


def _as_text(default: object) -> str:
    match default:
        case None:
            return ""
        case bool():
            return "yes" if default else "no"
        case timedelta():
            return f"{default.total_seconds():g}"
        case Path() if default.is_relative_to(ROOT):
            return str(default.relative_to(ROOT))
    return str(default)
