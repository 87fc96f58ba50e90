"""A light load in the background: posts an image repeatedly and records the outcomes."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Self

import httpx

INTERVAL_S: Final = 0.2
WITH_JOB: Final = "fast answer with a job"
WITHOUT_JOB: Final = "fast answer without a job"
ANSWERED: Final = {WITH_JOB, WITHOUT_JOB}
UNREACHABLE: Final = "unreachable"


class Load:
    def __init__(self, url: str, image: bytes) -> None:
        self.accepted: list[str] = []
        """The ids of the jobs that were accepted, which must not be lost."""
        self.outcomes: Counter[str] = Counter()
        """How many posts had each outcome: one of the constants above, or the status code of an error."""
        self._url = url
        self._image = image
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._post_until_stopped, name="load", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    def burst(self, count: int) -> None:
        """Post `count` images concurrently and return when all responses have arrived."""
        with ThreadPoolExecutor(count) as pool:
            self.outcomes.update(pool.map(lambda _: self._post(), range(count)))

    def _post_until_stopped(self) -> None:
        while not self._stopped.wait(INTERVAL_S):
            self.outcomes[self._post()] += 1

    def _post(self) -> str:
        try:
            response = httpx.post(
                f"{self._url}/predict",
                content=self._image,
                headers={"content-type": "image/jpeg"},
                trust_env=False,
                timeout=30,
            )
        except httpx.TransportError:
            return UNREACHABLE
        if response.status_code != 200:
            return str(response.status_code)
        job_id = response.json()["job_id"]
        if job_id is None:
            return WITHOUT_JOB
        self.accepted.append(job_id)
        return WITH_JOB
