"""Runs the Lua scripts in `scripts/`, each of which is one atomic transition."""

import hashlib
from collections.abc import Sequence
from importlib import resources
from typing import Any

from redis.exceptions import NoScriptError

from job_store.pipelining import CommandArg, Pipelining


class Script:
    """One script of `scripts/`. It is called by its digest, and sent in full when Redis does not have it."""

    def __init__(self, pipelining: Pipelining, name: str, *, libraries: Sequence[str] = ()) -> None:
        """`libraries` names the files of `scripts/` with the functions that the script calls."""
        self._pipelining = pipelining
        folder = resources.files(__package__) / "scripts"
        self._source = "".join((folder / f"{part}.lua").read_text("utf-8") for part in (*libraries, name))
        self._digest = hashlib.sha1(self._source.encode(), usedforsecurity=False).hexdigest()

    async def run(self, keys: Sequence[str], args: Sequence[CommandArg]) -> Any:
        try:
            return await self._pipelining.execute("EVALSHA", self._digest, len(keys), *keys, *args)
        except NoScriptError:
            return await self._pipelining.execute("EVAL", self._source, len(keys), *keys, *args)
