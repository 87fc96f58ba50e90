"""The transitions themselves: one Lua script each, in `scripts/`, run by Redis in one atomic step."""

import hashlib
from collections.abc import Sequence
from importlib import resources
from typing import Any

from redis.exceptions import NoScriptError

from job_store.pipelining import Pipelining, Word


class Script:
    """One script of `scripts/`, sent by its digest and, to a Redis that does not know it yet, in full."""

    def __init__(self, redis: Pipelining, name: str) -> None:
        self._redis = redis
        self._source = (resources.files(__package__) / "scripts" / f"{name}.lua").read_text("utf-8")
        self._digest = hashlib.sha1(self._source.encode(), usedforsecurity=False).hexdigest()

    async def run(self, keys: Sequence[str], args: Sequence[Word]) -> Any:
        try:
            return await self._redis.execute("EVALSHA", self._digest, len(keys), *keys, *args)
        except NoScriptError:
            return await self._redis.execute("EVAL", self._source, len(keys), *keys, *args)
