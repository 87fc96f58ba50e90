"""Lists the versions in a base path: its children whose names are numbers."""

import re
from pathlib import Path
from typing import Final

NUMBER: Final = re.compile(r"-?[0-9]+", re.ASCII)
INT64: Final = range(-(2**63), 2**63)


def find(base_path: Path) -> dict[int, Path]:
    """Version numbers and their directories, in ascending order.

    A child is a version if its name is an int64 (`1`, `000123`); if two names have the same value, the last in
    alphabetical order counts. All other children are ignored, so a version is published atomically by renaming its
    finished directory to a number. Raises OSError if the base path cannot be read, which does not mean that it is
    empty.
    """
    found = {int(child.name): child for child in sorted(base_path.iterdir()) if NUMBER.fullmatch(child.name)}
    return {version: found[version] for version in sorted(found) if version in INT64}
