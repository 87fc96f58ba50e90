"""Export MobileNetV2, the fast model: `python -m imagenet_mobilenet_v2.export --models-dir DIR`."""

import sys
from typing import Final

from imagenet_export.architecture import Architecture
from imagenet_export.command import main

MOBILENET_V2: Final = Architecture(
    name="mobilenet_v2",
    constructor="MobileNetV2",
    input_size=224,
    keras_weights_file="mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224.h5",
)

if __name__ == "__main__":
    sys.exit(main(MOBILENET_V2))
