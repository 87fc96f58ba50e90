"""Exports both models once for all tests. An export that is up to date takes no time."""

import os
import subprocess
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
    """Export both models, with untrained weights where no trained ones are found. Return their directory."""
    environment = {**os.environ, "IMAGENET_WEIGHTS_DIR": str(WEIGHTS_DIR)}
    for model in ("mobilenet_v2", "inception_v3"):
        command = [PYTHON, "-m", f"imagenet_{model}.export", "--models-dir", str(MODELS_DIR), "--allow-untrained"]
        export = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        assert export.returncode == 0, export.stdout + export.stderr
    return MODELS_DIR
