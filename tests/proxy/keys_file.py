"""API keys, and a file of them, for tests."""

import json
from pathlib import Path
from typing import Final

from proxy.api_keys import digest

ALICE, BOB, OPERATOR = "alice's key", "bob's key", "the operator's key"
ENTRIES: Final = (
    {"name": "alice", "sha256": digest(ALICE), "role": "client"},
    {"name": "bob", "sha256": digest(BOB), "role": "client"},
    {"name": "operator", "sha256": digest(OPERATOR), "role": "operator"},
)


def write_keys(path: Path, **of_alice: object) -> Path:
    """Write a file with all three keys. `of_alice` are further fields of the first."""
    path.write_text(json.dumps([ENTRIES[0] | of_alice, *ENTRIES[1:]]), "utf-8")
    return path


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}
