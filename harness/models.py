"""Both models, really exported, once: an export that finds itself up to date costs no time."""

import os
import subprocess
from pathlib import Path

from harness.process import PYTHON, ROOT

MODELS_DIR = ROOT / "var" / "test-models"
SHARED = ROOT.parent / "shared"
WEIGHTS_DIR = Path(os.environ.get("IMAGENET_WEIGHTS_DIR") or SHARED / "weights")

PHOTOGRAPHS = sorted((SHARED / "images").glob("*.jpg")) or [ROOT / "data" / "cat.jpg"]


def has_trained(model: str) -> bool:
    return (WEIGHTS_DIR / f"{model}.weights.h5").exists()


def has_trained_mobilenet() -> bool:
    return has_trained("mobilenet_v2")


def export_both() -> Path:
    """Real weights where there are some, untrained ones else, by explicit permission."""
    environment = {**os.environ, "IMAGENET_WEIGHTS_DIR": str(WEIGHTS_DIR)}
    for model in ("mobilenet_v2", "inception_v3"):
        command = [PYTHON, "-m", f"imagenet_{model}.export", "--models-dir", str(MODELS_DIR), "--allow-untrained"]
        exported = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        assert exported.returncode == 0, exported.stdout + exported.stderr
    return MODELS_DIR
