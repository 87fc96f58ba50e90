"""Waits until the proxy and the models are up. Standard library only, Python 3.8 or newer.

Usage: `python deploy/docker/wait.py PORT`
"""

from __future__ import annotations

import json
import sys
import time
import urllib.request
from typing import Final

STARTUP_TIMEOUT_S: Final = 300.0


def health(port: int) -> dict[str, str]:
    """Return the state of each model as the proxy reports it, or nothing if the proxy does not respond."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/all", timeout=3) as response:
            states: dict[str, str] = json.load(response)
            return states
    except (OSError, ValueError):
        return {}


def main(port: int) -> None:
    started = time.monotonic()
    while set(health(port).values()) != {"ok"}:
        if time.monotonic() > started + STARTUP_TIMEOUT_S:
            sys.exit(f"make c_up: timed out after {STARTUP_TIMEOUT_S:.0f} s: see `make c_ps` and `make c_logs`")
        time.sleep(0.5)
    print(f"running on http://localhost:{port}; try: curl localhost:{port}/predict/test; stop it with `make c_down`")


if __name__ == "__main__":
    main(int(sys.argv[1]))
