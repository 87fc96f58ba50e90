"""The two exported models, asked through both engines in this process."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from local_tf_serving.engine import ENGINES, Options, Servable

Scores = np.ndarray[Any, np.dtype[np.float32]]


@dataclass(frozen=True)
class Model:
    servable: Servable

    def ask(self, images: Sequence[bytes], timeout: float | None = None) -> Scores:
        """Scores, float32 [N, 1001]."""
        return self.feed(strings(images), timeout)

    def feed(self, images: Any, timeout: float | None = None) -> Scores:
        (scores,) = self.servable.run("serving_default", {"image_bytes": images}, ["scores"], timeout)
        return scores


@contextmanager
def loaded(version: Path, engine: str, precision: str = "float32") -> Iterator[Model]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TF_CPP_MIN_LOG_LEVEL", "3")  # set here, it is not left behind for the servers that tests start
        servable = ENGINES[engine](Options(inference_precision=precision)).load(version)
    yield Model(servable)
    servable.close()


def newest(models_dir: Path, name: str) -> Path:
    return max((path for path in (models_dir / name).iterdir() if path.name.isdecimal()), key=lambda it: int(it.name))


def strings(images: Sequence[bytes]) -> Any:
    array = np.empty(len(images), np.object_)
    array[:] = images
    return array
