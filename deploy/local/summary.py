"""Waits until everything answers, then says where it is and what to try."""

import json
import sys
import time
from typing import Final

import httpx
from rich.console import Console

from deploy.local.settings import LocalSettings

PATIENCE_S: Final = 180.0
RULE: Final = "─" * 100


def main() -> None:
    settings = LocalSettings.from_environment("make run")
    console = Console(highlight=False, soft_wrap=True)
    started = time.monotonic()
    if not wait_until_up(settings, started + PATIENCE_S):
        console.print(
            f"make run: not everything answers after {PATIENCE_S:.0f} s: the lines above say why", style="red"
        )
        sys.exit(1)
    console.print(summary(settings, time.monotonic() - started), markup=False)
    for model in (settings.fast_model, settings.accurate_model):
        if is_untrained(settings, model):
            console.print(warning(model), style="bold red")


def wait_until_up(settings: LocalSettings, deadline: float) -> bool:
    with httpx.Client(base_url=f"http://127.0.0.1:{settings.port}", trust_env=False, timeout=2) as client:
        while time.monotonic() < deadline:
            try:
                healthy = set(client.get("/health/all").json().values()) == {"ok"}
                if healthy and client.get("/predict/test").json().get("job_id"):  # null while the slow half is away
                    return True
            except (httpx.TransportError, ValueError):
                pass
            time.sleep(0.2)
    return False


def summary(settings: LocalSettings, seconds: float) -> str:
    here = f"localhost:{settings.port}"
    models = (
        f"  {name:<14} {does}   gRPC localhost:{port}, REST http://localhost:{port + 1}/v1/models/{name}"
        for name, does, port in (
            (settings.fast_model, "answers now ", settings.fast_model_port),
            (settings.accurate_model, "answers well", settings.accurate_model_port),
        )
    )
    return f"""
{RULE}
  Answer now, refine later: up on http://{here} after {seconds:.1f} s. Ctrl-C ends all of it.

{chr(10).join(models)}
  redis          keeps jobs     redis-cli -p {settings.redis_port}, files in {settings.data_dir}
  API            to read        http://{here}/docs

  Try, in another shell:

    curl {here}/health/all
    curl {here}/predict/test
    curl -F image=@data/cat.jpg {here}/predict
    curl {here}/job/JOB_ID
{RULE}
"""


def is_untrained(settings: LocalSettings, model: str) -> bool:
    versions = [path for path in (settings.models_dir / model).iterdir() if path.name.isdigit()]
    newest = max(versions, key=lambda path: int(path.name))
    record = newest / "assets.extra" / "export.json"
    return record.exists() and json.loads(record.read_text("utf-8"))["weights"] == "untrained"


def warning(model: str) -> str:
    return f"""!!! UNTRAINED WEIGHTS: {model} was never trained. The path is real, but its labels mean NOTHING.
!!! Give trained weights with IMAGENET_WEIGHTS_DIR=FOLDER, or run `make models` where the download works.
"""


if __name__ == "__main__":
    main()
