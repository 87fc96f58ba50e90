"""Exports the two models for `make run`. `make models` runs this module to replace untrained models."""

import subprocess
import sys

from deploy.local.settings import LocalSettings


def export_models(settings: LocalSettings, *options: str) -> None:
    """Export the models that are not up to date. Exits if an export fails; the export has then printed the reason."""
    for name in (settings.fast_model, settings.accurate_model):
        command = [sys.executable, "-m", f"imagenet_{name}.export", "--models-dir", str(settings.models_dir), *options]
        if settings.allow_untrained:
            command.append("--allow-untrained")
        export = subprocess.run(command, check=False)
        if export.returncode:
            sys.exit(export.returncode)


if __name__ == "__main__":
    export_models(LocalSettings.from_environment("make models"), "--retry-download")
