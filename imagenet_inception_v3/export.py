"""Export InceptionV3, the accurate model: `python -m imagenet_inception_v3.export --models-dir DIR`."""

import sys
from typing import Final

from imagenet_export.architecture import Architecture
from imagenet_export.command import main

INCEPTION_V3: Final = Architecture(
    name="inception_v3",
    constructor="InceptionV3",
    input_size=299,
    keras_weights_file="inception_v3_weights_tf_dim_ordering_tf_kernels.h5",
)

if __name__ == "__main__":
    sys.exit(main(INCEPTION_V3))
