"""Exports that reach no network and find no weights but those of the test."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from harness.process import ROOT
from model_export.command import main
from model_export.recipe import Recipe
from model_export.weights import WEIGHTS_DIR
from tests.model_export.recipes import command_line

REFUSING_PROXY: Final = "http://127.0.0.1:9"  # the discard port, which refuses connections


@dataclass(frozen=True, slots=True)
class Sandbox:
    """A home directory with a models directory and Keras's cache."""

    home: Path
    recipe: Recipe

    @property
    def models_dir(self) -> Path:
        return self.home / "models-dir"

    @property
    def folder(self) -> Path:
        return self.models_dir / self.recipe.name

    @property
    def download(self) -> Path:
        """Where Keras keeps its download of the weights."""
        return self.home / "models" / self.recipe.application.keras_weights_file

    @property
    def weights_file(self) -> Path:
        return self.home / self.recipe.application.weights_file

    def export(self, *options: str, weights: Path | None = None) -> int:
        """Run the command in this process, with weights from a directory, and return its exit status."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("KERAS_HOME", str(self.home))
            patch.setattr("keras.src.backend.config._KERAS_DIR", str(self.home))  # read from KERAS_HOME at import
            return export(self.recipe, self.models_dir, *options, weights=weights)

    def run(self, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run the command as users do."""
        module = f"imagenet_{self.recipe.name}.export"
        command = [sys.executable, "-m", module, "--models-dir", str(self.models_dir), *options]
        return self.run_python(command, **environment)

    def run_python(self, command: list[str], **environment: str) -> subprocess.CompletedProcess[str]:
        unset = ("IMAGENET_", "TF_", "KERAS_")
        isolated = {
            **{name: value for name, value in os.environ.items() if not name.startswith(unset)},
            **dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), REFUSING_PROXY),
            **dict.fromkeys(("no_proxy", "NO_PROXY"), ""),
            "KERAS_HOME": str(self.home),
            **environment,
        }
        return subprocess.run(command, env=isolated, cwd=ROOT, capture_output=True, text=True, check=False)

    def record(self, version: int) -> dict[str, Any]:
        values: dict[str, Any] = json.loads(self.record_file(version).read_text())
        return values

    def record_file(self, version: int) -> Path:
        return self.folder / str(version) / "assets.extra" / "export.json"

    def versions(self) -> list[str]:
        return sorted(child.name for child in self.folder.glob("*") if child.name.isdecimal())


def export(recipe: Recipe, models_dir: Path, *options: str, weights: Path | None) -> int:
    """Run the command in this process, with weights from a directory, and return its exit status."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(WEIGHTS_DIR, str(weights or ""))
        patch.setenv("TF_CPP_MIN_LOG_LEVEL", "2")  # the command would set these three for the rest of the process
        patch.setenv("TF_ENABLE_ONEDNN_OPTS", "1")
        patch.setenv("KERAS_BACKEND", "tensorflow")
        return main([*command_line(recipe), "--models-dir", str(models_dir), *options])
