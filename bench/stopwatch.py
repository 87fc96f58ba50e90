"""Times single jobs, from the post to the end that the job store announces."""

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

from bench.service import NotAsExpected, Service
from job_store import Keys

PATIENCE_S: Final = 60.0
KEPT_S: Final = 2.0
"""A connection that rested for longer is opened anew: uvicorn closes one after five seconds."""


@dataclass(frozen=True, slots=True)
class Timed:
    answered_ms: float
    """From the post to the fast answer."""
    ended_ms: float
    """From the post to the job's end."""


class Stopwatch:
    """One client with one connection, that posts and listens."""

    def __init__(self, connection: http.client.HTTPConnection, ends: PubSub) -> None:
        self._connection = connection
        self._ends = ends
        self._used = -KEPT_S

    def post(self, body: bytes, content_type: str) -> tuple[str, float]:
        """Return the job's id and how many ms its fast answer took."""
        if time.perf_counter() - self._used > KEPT_S:
            self._connection.close()
            self._connection.connect()
        started = time.perf_counter()
        try:
            self._connection.request("POST", "/predict", body, {"Content-Type": content_type})
            said = self._connection.getresponse().read()
        except (OSError, http.client.HTTPException) as error:
            raise NotAsExpected(f"a post was not answered: {error!r}") from error
        self._used = time.perf_counter()
        took_ms = (self._used - started) * 1000
        job_id = json.loads(said).get("job_id")
        if not job_id:
            raise NotAsExpected(f"a post got no job: {said[:200]!r}")
        return job_id, took_ms

    def post_and_wait(self, body: bytes, content_type: str) -> Timed:
        started = time.perf_counter()
        job_id, answered_ms = self.post(body, content_type)
        while self.next_end(PATIENCE_S) != job_id:
            pass
        return Timed(answered_ms, (time.perf_counter() - started) * 1000)

    def forget_ends(self) -> None:
        """Those that were announced and not asked for: they ended before now."""
        while self._ends.get_message(timeout=0):
            pass

    def next_end(self, within_s: float) -> str:
        """The id of the job that ended next. Raises `NotAsExpected` when none does."""
        message = self._ends.get_message(ignore_subscribe_messages=True, timeout=within_s)
        if message is None:
            raise NotAsExpected(f"no job ended within {within_s:g} s")
        return str(message["data"].decode())


@contextmanager
def stopwatch(service: Service) -> Iterator[Stopwatch]:
    connection = http.client.HTTPConnection(urlsplit(service.url).netloc, timeout=PATIENCE_S)
    ends: PubSub = service.redis.pubsub()  # type: ignore[no-untyped-call]
    with closing(connection), ends:
        ends.subscribe(Keys().ended)
        ends.get_message(timeout=PATIENCE_S)  # that it has subscribed
        yield Stopwatch(connection, ends)


def body_of(photograph: tuple[Path, str]) -> tuple[bytes, str]:
    path, content_type = photograph
    return path.read_bytes(), content_type
