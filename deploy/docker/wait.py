"""`python deploy/docker/wait.py PORT`: waits until the containers answer. Standard library only, any Python 3.8."""

from __future__ import annotations

import json
import sys
import time
import urllib.request

PATIENCE_S = 300.0


def health(port: int) -> dict[str, str]:
    """Each model's state, as the proxy sees it; empty while the proxy does not answer."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/all", timeout=3) as response:
            answer: dict[str, str] = json.load(response)
            return answer
    except (OSError, ValueError):
        return {}


def main(port: int) -> None:
    started = time.monotonic()
    while set(health(port).values()) != {"ok"}:
        if time.monotonic() > started + PATIENCE_S:
            sys.exit(f"not all of it is up after {PATIENCE_S:.0f} s: make c_ps and make c_logs say why")
        time.sleep(0.5)
    print(f"up on http://localhost:{port}; try: curl localhost:{port}/predict/test; `make c_down` ends it")


if __name__ == "__main__":
    main(int(sys.argv[1]))
