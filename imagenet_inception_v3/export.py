"""Export InceptionV3, the accurate model: `python -m imagenet_inception_v3.export --models-dir DIR`."""

import sys
from typing import Final

from model_export.command import main

INCEPTION_V3: Final = ("InceptionV3", "--name", "inception_v3", "--background")

if __name__ == "__main__":
    sys.exit(main([*INCEPTION_V3, *sys.argv[1:]]))
