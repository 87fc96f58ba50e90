"""Waits until the proxy, the models and the queue are up. Standard library only, Python 3.8 or newer.

Usage: `python deploy/docker/wait.py PORT`
"""

from __future__ import annotations

import json
import sys
import time
import urllib.request
from http.client import HTTPResponse
from typing import Final
from urllib.error import HTTPError

STARTUP_TIMEOUT_S: Final = 300.0


def not_ready(port: int) -> list[str]:
    """Return what the proxy reports as not ready."""
    try:
        with _readyz(port) as response:
            states = json.load(response)
    except (OSError, ValueError):
        return ["proxy"]
    return [name.replace("_", " ") for name, state in states.items() if state == "ng"]


def _readyz(port: int) -> HTTPResponse | HTTPError:
    """Return the response, whatever its status: a 503 also says what is not ready."""
    try:
        response: HTTPResponse = urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=3)
        return response
    except HTTPError as error:
        return error


def main(port: int) -> None:
    started = time.monotonic()
    while missing := not_ready(port):
        if time.monotonic() > started + STARTUP_TIMEOUT_S:
            sys.exit(
                f"make c_up: timed out after {STARTUP_TIMEOUT_S:.0f} s waiting for the {' and the '.join(missing)}: "
                "see `make c_ps` and `make c_logs`"
            )
        time.sleep(0.5)
    print(f"running on http://localhost:{port}; try: curl localhost:{port}/predict/test; stop it with `make c_down`")


if __name__ == "__main__":
    main(int(sys.argv[1]))
