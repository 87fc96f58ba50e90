"""What differs between the exports."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Architecture:
    """A network of `keras.applications` with 1000 ImageNet classes.

    Names and not objects: describing one must not import TensorFlow.
    """

    name: str
    """Of the servable, of its folder, and of Keras's module `keras.applications.<name>` with its `preprocess_input`."""

    constructor: str
    """In `keras.applications`."""

    input_size: int
    """Height and width in pixels."""

    keras_weights_file: str
    """What Keras calls its download in its cache, `<KERAS_HOME>/models/`."""

    @property
    def weights_file(self) -> str:
        """What a file with the weights is called in IMAGENET_WEIGHTS_DIR: written by Keras's `save_weights`."""
        return f"{self.name}.weights.h5"
