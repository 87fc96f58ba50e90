"""The versions a base path holds: its children whose names are numbers."""

import re
from pathlib import Path

_NUMBER = re.compile(r"-?[0-9]+", re.ASCII)
_INT64 = range(-(2**63), 2**63)


def find(base_path: Path) -> dict[int, Path]:
    """Version number to directory, in ascending order.

    A child counts if its name reads as an int64 (`1`, `000123`); of two that read the same the last by name counts.
    Everything else is ignored, so a version is published by renaming its finished directory to a number. Raises OSError
    if the base path can't be read: that is no news of any version, where an empty dict is news that there is none.
    """
    found = {int(child.name): child for child in sorted(base_path.iterdir()) if _NUMBER.fullmatch(child.name)}
    return {version: found[version] for version in sorted(found) if version in _INT64}
