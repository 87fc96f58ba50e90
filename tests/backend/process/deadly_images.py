"""`python -m tests.backend.process.deadly_images ADDRESS`: a worker that is killed by images that begin with `DEADLY`.

It is the product's worker, except that its client of the model ends the process, as a crash in a native library would.
"""

import asyncio
import os
from collections.abc import Sequence
from typing import Final

from backend import __main__ as backend
from tf_serving_client import Prediction, ServedClassifier

DEADLY: Final = b"deadly"
STATUS: Final = 77


class FragileClassifier(ServedClassifier):
    async def classify(self, payloads: Sequence[bytes]) -> list[Prediction]:
        predictions = await super().classify(payloads)
        if any(payload.startswith(DEADLY) for payload in payloads):
            await asyncio.sleep(0.2)  # so that the other batch is claimed meanwhile
            os._exit(STATUS)
        return predictions


if __name__ == "__main__":
    vars(backend)["ServedClassifier"] = FragileClassifier  # the only part that differs
    backend.main()
