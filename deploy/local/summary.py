"""Waits until everything answers, then says where it is and what to try."""

import json
import sys
import time
from typing import Final

import httpx
from rich.console import Console
from rich.panel import Panel

from deploy.local.settings import LocalSettings

PATIENCE_S: Final = 180.0


def main() -> None:
    settings = LocalSettings.from_environment("make run")
    console = Console(highlight=False, soft_wrap=True)
    started = time.monotonic()
    if not wait_until_up(settings, started + PATIENCE_S):
        console.print(f"make run: not everything answers after {PATIENCE_S:.0f} s: the lines above say why")
        sys.exit(1)
    console.print(Panel(summary(settings, time.monotonic() - started), title="answer now, refine later", expand=False))
    for model in (settings.fast_model, settings.accurate_model):
        if is_untrained(settings, model):
            console.print(Panel(warning(model), style="bold red", title="UNTRAINED WEIGHTS", expand=False))


def wait_until_up(settings: LocalSettings, deadline: float) -> bool:
    with httpx.Client(base_url=f"http://127.0.0.1:{settings.port}", trust_env=False, timeout=2) as client:
        while time.monotonic() < deadline:
            try:
                if set(client.get("/health/all").json().values()) == {"ok"} and client.get("/predict/test").is_success:
                    return True
            except (httpx.TransportError, ValueError):
                pass
            time.sleep(0.2)
    return False


def summary(settings: LocalSettings, seconds: float) -> str:
    here = f"localhost:{settings.port}"
    models = (
        f"  {name:<14}{does}  gRPC localhost:{port}   REST http://localhost:{port + 1}/v1/models/{name}"
        for name, does, port in (
            (settings.fast_model, "answers now ", settings.fast_model_port),
            (settings.accurate_model, "answers well", settings.accurate_model_port),
        )
    )
    return "\n".join(
        [
            f"Up after {seconds:.1f} s. Ctrl-C ends all of it; jobs are kept in {settings.data_dir}",
            "",
            f"  http://{here}        the service, its API at http://{here}/docs",
            *models,
            f"  redis         keeps the jobs  redis-cli -p {settings.redis_port}",
            "",
            "Try, in another shell:",
            "",
            f"  curl {here}/health/all",
            f"  curl {here}/predict/test",
            f"  curl -F image=@data/cat.jpg {here}/predict",
            f"  curl {here}/job/<the job_id you got>",
        ]
    )


def is_untrained(settings: LocalSettings, model: str) -> bool:
    versions = [path for path in (settings.models_dir / model).iterdir() if path.name.isdigit()]
    newest = max(versions, key=lambda path: int(path.name))
    record = newest / "assets.extra" / "export.json"
    return record.exists() and json.loads(record.read_text("utf-8"))["weights"] == "untrained"


def warning(model: str) -> str:
    return (
        f"{model} has weights that were never trained: the path is real, its labels mean NOTHING.\n"
        "Give trained ones with IMAGENET_WEIGHTS_DIR=/folder, or `make models` where the download works."
    )


if __name__ == "__main__":
    main()
