"""The two models of `make run`. `python -m deploy.local.models` exports them anew where better weights can be had."""

import subprocess
import sys

from deploy.local.settings import LocalSettings


def export_models(settings: LocalSettings, *options: str) -> None:
    """Export what is not exported yet. Each export shows its own progress, and says itself what went wrong."""
    for name in (settings.fast_model, settings.accurate_model):
        command = [sys.executable, "-m", f"imagenet_{name}.export", "--models-dir", str(settings.models_dir), *options]
        if settings.allow_untrained:
            command.append("--allow-untrained")
        exported = subprocess.run(command, check=False)
        if exported.returncode:
            sys.exit(exported.returncode)


if __name__ == "__main__":
    export_models(LocalSettings.from_environment("make models"), "--retry-download")
