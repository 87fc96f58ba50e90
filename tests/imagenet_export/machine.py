"""A machine of its own for an export: no network, nobody's weights."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.imagenet_export import images


@dataclass(frozen=True)
class Machine:
    """One without a network, with a home directory and a models directory of its own."""

    home: Path

    @property
    def models(self) -> Path:
        return self.home / "models"

    def run(self, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "imagenet_mobilenet_v2.export", "--models-dir", str(self.models), *options]
        return self.python(command, environment)

    def python(self, command: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
        nowhere = "http://127.0.0.1:9"  # the discard port: refused at once
        isolated = {
            **{
                name: value for name, value in os.environ.items() if not name.startswith(("IMAGENET_", "TF_", "KERAS_"))
            },
            **dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), nowhere),
            **dict.fromkeys(("no_proxy", "NO_PROXY"), ""),
            "KERAS_HOME": str(self.home),
            **environment,
        }
        return subprocess.run(command, env=isolated, cwd=images.REPOSITORY, capture_output=True, text=True, check=False)

    def record(self, version: int) -> dict[str, Any]:
        path = self.models / "mobilenet_v2" / str(version) / "assets.extra" / "export.json"
        values: dict[str, Any] = json.loads(path.read_text())
        return values

    def versions(self) -> list[str]:
        folder = self.models / "mobilenet_v2"
        return sorted(child.name for child in folder.iterdir() if child.name.isdecimal()) if folder.exists() else []
