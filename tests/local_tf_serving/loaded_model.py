"""An exported model, loaded by an engine in this process."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from local_tf_serving.engine import EngineOptions, Servable
from local_tf_serving.engines import ENGINES

Scores = np.ndarray[Any, np.dtype[np.float32]]


@dataclass(frozen=True, slots=True)
class LoadedModel:
    servable: Servable

    def scores(self, images: Sequence[bytes], timeout: timedelta | None = None) -> Scores:
        """float32 [N, 1001]."""
        return self.run(string_array(images), timeout)

    def run(self, images: Any, timeout: timedelta | None = None) -> Scores:
        (scores,) = self.servable.run("serving_default", {"image_bytes": images}, ["scores"], timeout)
        return scores


@contextmanager
def loaded_model(version: Path, engine: str, precision: str = "float32") -> Iterator[LoadedModel]:
    with pytest.MonkeyPatch.context() as patch:
        # The engine would set it for this process, and servers that tests start later would inherit it.
        patch.setenv("TF_CPP_MIN_LOG_LEVEL", "3")
        servable = ENGINES[engine](EngineOptions(inference_precision=precision)).load(version)
    yield LoadedModel(servable)
    servable.close()


def newest_version(models_dir: Path, name: str) -> Path:
    return max((path for path in (models_dir / name).iterdir() if path.name.isdecimal()), key=lambda it: int(it.name))


def string_array(values: Sequence[bytes]) -> Any:
    array = np.empty(len(values), np.object_)
    array[:] = values
    return array
