"""Export MobileNetV2, the fast model: `python -m imagenet_mobilenet_v2.export --models-dir DIR`."""

import sys
from typing import Final

from model_export.command import main

MOBILENET_V2: Final = ("MobileNetV2", "--name", "mobilenet_v2", "--background")

if __name__ == "__main__":
    sys.exit(main([*MOBILENET_V2, *sys.argv[1:]]))
