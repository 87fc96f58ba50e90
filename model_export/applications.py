"""The networks of `keras.applications` and what their ImageNet weights expect. Does not import Keras, which is slow.

tests/model_export/test_applications.py compares this table with Keras.
"""

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

Scale = Literal["tf", "torch", "caffe", "0..1", "none"]

CLASSES: Final = 1000


@dataclass(frozen=True, slots=True)
class Application:
    """A network of `keras.applications` with 1000 ImageNet classes, whose outputs are softmax scores."""

    name: str
    """The name of its class in `keras.applications`."""

    module: str
    """`keras.applications.<module>` has its `preprocess_input`."""

    size: int
    """Height and width in pixels of the images it was trained on."""

    scale: Scale
    """What `preprocess_input` does; `none` if the network itself scales."""

    keras_weights_file: str
    """File name of Keras's download in its cache, `<KERAS_HOME>/models/`."""

    @property
    def weights_file(self) -> str:
        """File name in IMAGENET_WEIGHTS_DIR of weights written by Keras's `save_weights`: `mobilenet_v2.weights.h5`."""
        return f"{re.sub(r'(?<=[a-z0-9])V(?=[0-9])', '_v', self.name).lower()}.weights.h5"


def _family(module: str, scale: Scale, **networks: tuple[int, str]) -> dict[str, Application]:
    return {name: Application(name, module, size, scale, file) for name, (size, file) in networks.items()}


KERNELS: Final = "weights_tf_dim_ordering_tf_kernels"

APPLICATIONS: Final[Mapping[str, Application]] = {
    **_family(
        "convnext",
        "none",
        **{f"ConvNeXt{size}": (224, f"convnext_{size.lower()}.h5") for size in ("Tiny", "Small", "Base", "Large")},
        ConvNeXtXLarge=(224, "convnext_xlarge.h5"),
    ),
    **_family("densenet", "torch", **{f"DenseNet{n}": (224, f"densenet{n}_{KERNELS}.h5") for n in (121, 169, 201)}),
    **_family(
        "efficientnet",
        "none",
        **{
            f"EfficientNetB{number}": (size, f"efficientnetb{number}.h5")
            for number, size in enumerate((224, 240, 260, 300, 380, 456, 528, 600))
        },
    ),
    **_family(
        "efficientnet_v2",
        "none",
        **{
            f"EfficientNetV2{name}": (size, f"efficientnetv2-{name.lower()}.h5")
            for name, size in {"B0": 224, "B1": 240, "B2": 260, "B3": 300, "S": 384, "M": 480, "L": 480}.items()
        },
    ),
    **_family("inception_resnet_v2", "tf", InceptionResNetV2=(299, f"inception_resnet_v2_{KERNELS}.h5")),
    **_family("inception_v3", "tf", InceptionV3=(299, f"inception_v3_{KERNELS}.h5")),
    **_family("mobilenet", "tf", MobileNet=(224, "mobilenet_1_0_224_tf.h5")),
    **_family("mobilenet_v2", "tf", MobileNetV2=(224, f"mobilenet_v2_{KERNELS}_1.0_224.h5")),
    **_family(
        "mobilenet_v3",
        "none",
        **{
            f"MobileNetV3{size}": (224, f"weights_mobilenet_v3_{size.lower()}_224_1.0_float.h5")
            for size in ("Large", "Small")
        },
    ),
    **_family("nasnet", "tf", NASNetLarge=(331, "nasnet_large.h5"), NASNetMobile=(224, "nasnet_mobile.h5")),
    **_family("resnet", "caffe", **{f"ResNet{n}": (224, f"resnet{n}_{KERNELS}.h5") for n in (50, 101, 152)}),
    **_family("resnet_v2", "tf", **{f"ResNet{n}V2": (224, f"resnet{n}v2_{KERNELS}.h5") for n in (50, 101, 152)}),
    **_family("vgg16", "caffe", VGG16=(224, f"vgg16_{KERNELS}.h5")),
    **_family("vgg19", "caffe", VGG19=(224, f"vgg19_{KERNELS}.h5")),
    **_family("xception", "tf", Xception=(299, f"xception_{KERNELS}.h5")),
}


def similar_names(name: str) -> list[str]:
    """The names in the table that `name` may have meant, best first."""
    by_lower = {known.lower(): known for known in APPLICATIONS}
    return [by_lower[match] for match in difflib.get_close_matches(name.lower(), by_lower, n=3)]
