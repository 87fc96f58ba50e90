"""Exports the two demo models for `make run`. `make models` runs this module to replace untrained models."""

import subprocess
import sys
from collections.abc import Sequence

from deploy.local.report import configure, report
from deploy.local.settings import LocalSettings
from deploy.newest_version import NoModel, newest_version
from service_settings import DEMO_MODELS


def export_models(settings: LocalSettings, *options: str) -> None:
    """Export the demo models that are not up to date. Exits if an export fails, which has then printed the reason.

    Models of one's own must exist. Exits if one does not.
    """
    for name in (settings.fast_model, settings.accurate_model):
        if name not in DEMO_MODELS:
            try:
                newest_version(settings.models_dir, name)
            except NoModel as error:
                sys.exit(f"make run: {error}")
            continue
        command = [sys.executable, "-m", f"imagenet_{name}.export", "--models-dir", str(settings.models_dir), *options]
        if settings.allow_untrained:
            command.append("--allow-untrained")
        if status := _run(command, settings):
            sys.exit(status)


def _run(command: Sequence[str], settings: LocalSettings) -> int:
    """Return the exit status. With LOG_FORMAT=json, each line that the export prints becomes a line of the log."""
    if settings.log_format != "json":
        return subprocess.run(command, check=False).returncode
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as export:
        for line in export.stdout or ():
            report(settings, line, "export output", line=line.rstrip())
        return export.wait()


if __name__ == "__main__":
    own_settings = LocalSettings.from_environment("make models")
    configure(own_settings)
    export_models(own_settings, "--retry-download")
