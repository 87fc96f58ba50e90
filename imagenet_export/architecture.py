"""The properties in which the exported models differ."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Architecture:
    """A network of `keras.applications` with 1000 ImageNet classes.

    Holds names instead of objects, because describing an architecture must not import TensorFlow.
    """

    name: str
    """The name of the servable, its folder, and the module `keras.applications.<name>` with its `preprocess_input`."""

    constructor: str
    """The name of its class in `keras.applications`."""

    input_size: int
    """Height and width in pixels."""

    keras_weights_file: str
    """File name of Keras's download in its cache, `<KERAS_HOME>/models/`."""

    @property
    def weights_file(self) -> str:
        """File name in IMAGENET_WEIGHTS_DIR of weights written by Keras's `save_weights`."""
        return f"{self.name}.weights.h5"
