"""Exports both models for tests, benchmarks and chaos runs, unless the versions of an earlier run are up to date."""

import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from harness.process import PYTHON, ROOT

MODELS_DIR: Final = ROOT / "var" / "test-models"
SHARED: Final = ROOT.parent / "shared"
WEIGHTS_DIR: Final = Path(os.environ.get("IMAGENET_WEIGHTS_DIR") or SHARED / "weights")

PHOTOGRAPHS: Final = sorted((SHARED / "images").glob("*.jpg")) or [ROOT / "data" / "cat.jpg"]


def has_trained(model: str) -> bool:
    return (WEIGHTS_DIR / f"{model}.weights.h5").exists()


def has_trained_mobilenet() -> bool:
    return has_trained("mobilenet_v2")


def export_both() -> Path:
    """Export with ImageNet weights where available, otherwise with untrained ones. Returns the models directory."""
    with ThreadPoolExecutor() as threads:
        for export in threads.map(_export, ("mobilenet_v2", "inception_v3")):
            assert export.returncode == 0, export.stdout + export.stderr
    return MODELS_DIR


def _export(model: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "IMAGENET_WEIGHTS_DIR": str(WEIGHTS_DIR)}
    command = [PYTHON, "-m", f"imagenet_{model}.export", "--models-dir", str(MODELS_DIR), "--allow-untrained"]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
