"""A light load: clients that post a picture, again and again, and remember what they were told."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Self

import httpx

PAUSE_S: Final = 0.2
WITH_A_JOB: Final = "with a job"
WITHOUT_A_JOB: Final = "without a job"
ANSWERED: Final = {WITH_A_JOB, WITHOUT_A_JOB}
"""The fast answer came."""
UNREACHABLE: Final = "unreachable"


class Visitors:
    def __init__(self, url: str, image: bytes) -> None:
        self.accepted: list[str] = []
        """The job ids they were given: these must not be lost."""
        self.told: Counter[str] = Counter()
        """How often they got the fast answer with a job, without one, a status that is no answer, or no one at all."""
        self._url = url
        self._image = image
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._post_and_post, name="visitors", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def rush(self, count: int) -> None:
        """So many more at once; returns when each has its answer."""
        with ThreadPoolExecutor(count) as pool:
            self.told.update(pool.map(lambda _: self._post(), range(count)))

    def _post_and_post(self) -> None:
        while not self._over.wait(PAUSE_S):
            self.told[self._post()] += 1

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
            return WITHOUT_A_JOB
        self.accepted.append(job_id)
        return WITH_A_JOB
