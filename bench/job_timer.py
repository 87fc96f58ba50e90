"""Times single jobs, from the POST to the completion that the job store announces."""

import http.client
import json
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from redis.client import PubSub

from bench.service import MeasurementError, Service
from job_store import Keys

TIMEOUT_S: Final = 60.0
MAX_IDLE_S: Final = 2.0
"""A connection that was idle for longer is reopened, because uvicorn closes it after five seconds."""


@dataclass(frozen=True, slots=True)
class JobTimes:
    answer_ms: float
    """From the POST to the fast answer."""
    completion_ms: float
    """From the POST to the completion of the job."""


class JobTimer:
    """A client with one HTTP connection and a subscription to completions."""

    def __init__(self, connection: http.client.HTTPConnection, completions: PubSub) -> None:
        self._connection = connection
        self._completions = completions
        self._last_used = -MAX_IDLE_S

    def post(self, body: bytes, content_type: str) -> tuple[str, float]:
        """Return the job id, and the time to the fast answer in ms."""
        if time.perf_counter() - self._last_used > MAX_IDLE_S:
            self._connection.close()
            self._connection.connect()
        started = time.perf_counter()
        try:
            self._connection.request("POST", "/predict", body, {"Content-Type": content_type})
            response = self._connection.getresponse().read()
        except (OSError, http.client.HTTPException) as error:
            raise MeasurementError(f"POST /predict failed: {error!r}") from error
        self._last_used = time.perf_counter()
        job_id = json.loads(response).get("job_id")
        if not job_id:
            raise MeasurementError(f"POST /predict returned no job id: {response[:200]!r}")
        return job_id, (self._last_used - started) * 1000

    def post_and_wait(self, body: bytes, content_type: str) -> JobTimes:
        started = time.perf_counter()
        job_id, answer_ms = self.post(body, content_type)
        while self.next_completion() != job_id:
            pass
        return JobTimes(answer_ms, (time.perf_counter() - started) * 1000)

    def discard_completions(self) -> None:
        """Drop the announcements that were received but not yet read."""
        while self._completions.get_message(timeout=0):
            pass

    def next_completion(self) -> str:
        """Return the id of the next job to complete. Raises `MeasurementError` if none does in time."""
        message = self._completions.get_message(ignore_subscribe_messages=True, timeout=TIMEOUT_S)
        if message is None:
            raise MeasurementError(f"no job completed within {TIMEOUT_S:g} s")
        return str(message["data"].decode())


@contextmanager
def job_timer(service: Service) -> Iterator[JobTimer]:
    connection = http.client.HTTPConnection(urlsplit(service.url).netloc, timeout=TIMEOUT_S)
    completions: PubSub = service.redis_client.pubsub()  # type: ignore[no-untyped-call] # redis-py
    with closing(connection), completions:
        completions.subscribe(Keys().ended)
        completions.get_message(timeout=TIMEOUT_S)  # the confirmation of the subscription
        yield JobTimer(connection, completions)


def read_body(body: tuple[Path, str]) -> tuple[bytes, str]:
    path, content_type = body
    return path.read_bytes(), content_type
