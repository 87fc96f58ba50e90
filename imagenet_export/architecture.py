"""The properties in which the exported models differ."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Architecture:
    """A network of `keras.applications` with 1000 ImageNet classes.

    Holds names instead of objects, because describing an architecture must not import TensorFlow.
    """

    name: str
    """Of the servable, its folder, and the module `keras.applications.<name>` that has its `preprocess_input`."""

    constructor: str
    """In `keras.applications`."""

    input_size: int
    """Height and width in pixels."""

    keras_weights_file: str
    """File name of Keras's download in its cache, `<KERAS_HOME>/models/`."""

    @property
    def weights_file(self) -> str:
        """File name in IMAGENET_WEIGHTS_DIR of weights written by Keras's `save_weights`."""
        return f"{self.name}.weights.h5"
