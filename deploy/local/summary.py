"""Waits until `make run` serves requests, then prints its addresses and some commands to try."""

import json
import shlex
import sys
import time
from datetime import timedelta
from http import HTTPStatus
from typing import Final

import httpx

from deploy.local.report import configure, report, warn
from deploy.local.settings import LocalSettings
from deploy.newest_version import newest_version
from service_settings import DEMO_MODELS

STARTUP_TIMEOUT: Final = timedelta(minutes=3)
RULE: Final = "─" * 100


def main() -> None:
    settings = LocalSettings.from_environment("make run")
    configure(settings)
    started = time.monotonic()
    if not wait_until_up(settings, STARTUP_TIMEOUT):
        sys.exit(f"make run: not all services are up after {STARTUP_TIMEOUT.total_seconds():.0f} s: see the log above")
    elapsed = timedelta(seconds=time.monotonic() - started)
    report(settings, summary(settings, elapsed), "service ready", url=f"http://localhost:{settings.port}")
    for model in (settings.fast_model, settings.accurate_model):
        if is_untrained(settings, model):
            warn(settings, warning(model), "weights untrained", model=model)


def wait_until_up(settings: LocalSettings, timeout: timedelta) -> bool:
    deadline = time.monotonic() + timeout.total_seconds()
    with httpx.Client(base_url=f"http://127.0.0.1:{settings.port}", trust_env=False, timeout=2) as client:
        while time.monotonic() < deadline:
            try:
                healthy = set(client.get("/health/all").json().values()) == {"ok"}
                response = client.get("/predict/test")
                is_refused = response.status_code in {HTTPStatus.UNAUTHORIZED, HTTPStatus.TOO_MANY_REQUESTS}
                if healthy and (is_refused or response.json().get("job_id")):  # null while the queue is unavailable
                    return True
            except (httpx.TransportError, ValueError):
                pass
            time.sleep(0.2)
    return False


def summary(settings: LocalSettings, elapsed: timedelta) -> str:
    address = f"localhost:{settings.port}"
    models = (
        f"  {name:<14} {role}   gRPC localhost:{port}, REST http://localhost:{port + 1}/v1/models/{name}"
        for name, role, port in (
            (settings.fast_model, "fast model    ", settings.fast_model_port),
            (settings.accurate_model, "accurate model", settings.accurate_model_port),
        )
    )
    return f"""
{RULE}
  Running on http://{address} after {elapsed.total_seconds():.1f} s. Press Ctrl-C to stop.

{chr(10).join(models)}
  redis          job queue        redis-cli -p {settings.redis_port}, files in {settings.data_dir}
  API            documentation    http://{address}/docs

  Try it in another shell:

    curl {address}/health/all
    curl {address}/predict/test
    curl {body(settings)} {address}/predict
    curl {address}/job/JOB_ID
{RULE}
"""


def body(settings: LocalSettings) -> str:
    """Return curl's options for a request of the configured input."""
    match settings.input:
        case "image":
            return "-F image=@data/cat.jpg"
        case "text":
            return "-H 'Content-Type: text/plain' -d 'a text'"
        case "bytes":
            return f"-H 'Content-Type: application/octet-stream' --data-binary @{shlex.quote(str(settings.test_input))}"


def is_untrained(settings: LocalSettings, model: str) -> bool:
    record = newest_version(settings.models_dir, model) / "assets.extra" / "export.json"
    return record.exists() and json.loads(record.read_text("utf-8")).get("weights") == "untrained"


def warning(model: str) -> str:
    remedy = (
        "Set IMAGENET_WEIGHTS_DIR to a folder with trained weights, or run `make models` where they can be downloaded."
        if model in DEMO_MODELS
        else "Run `python -m model_export` again with `--weights FILE`, or with IMAGENET_WEIGHTS_DIR set to a folder."
    )
    return f"""!!! UNTRAINED WEIGHTS: {model} was never trained, so its labels are MEANINGLESS.
!!! {remedy}
"""


if __name__ == "__main__":
    main()
