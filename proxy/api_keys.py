"""The API keys, in a JSON file that contains only their SHA-256. It is read again when it changes.

    python -m proxy.api_keys NAME [--role operator] [--max-queued N] [--rate 10/second]

prints a new key, which is stored nowhere, and its entry for the file, which is an array of such entries. (It is JSON
because a program can add an entry without losing the rest, and because Python has no writer for TOML.)
"""

import argparse
import asyncio
import enum
import hashlib
import json
import secrets
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError

import service_log
from proxy.rate_limits import Rate

CHECK_INTERVAL_S: Final = 1.0


class Role(enum.StrEnum):
    CLIENT = "client"
    """May submit images, and read its own jobs."""
    OPERATOR = "operator"
    """May read every job, and do what only operators may."""


def digest(key: str) -> str:
    """Return the SHA-256 of a key as it is in the file."""
    return hashlib.sha256(key.encode()).hexdigest()


def _check_not_of_nothing(sha256: str) -> str:
    if sha256 == digest(""):
        raise ValueError("this is the SHA-256 of an empty key")
    return sha256


class ApiKey(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
    """For the log. A key that replaces another one, under the same name, can read its jobs."""
    sha256: Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$"), AfterValidator(_check_not_of_nothing)]
    """Of the key, in hexadecimal."""
    role: Role
    max_queued: int | None = Field(None, ge=1)
    """Unfinished jobs. None: `MAX_QUEUED_PER_CLIENT`."""
    rate: Rate | None = None
    """None: `RATE_PER_CLIENT`."""


ENTRIES: Final = TypeAdapter(Annotated[list[ApiKey], Field(min_length=1)])


class BadKeysFile(Exception):
    """The text says what is wrong, and does not quote the file: it could contain a key instead of its SHA-256."""


class ApiKeys:
    """Raises `BadKeysFile` if the file is not valid. Later, such a file changes nothing."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._version = _version(path)
        self._by_digest = _read(path)

    def __len__(self) -> int:
        return len(self._by_digest)

    def find(self, key: str) -> ApiKey | None:
        return self._by_digest.get(digest(key))

    def reload_if_changed(self) -> None:
        version = _version(self._path)
        if version == self._version:
            return
        self._version = version
        try:
            self._by_digest = _read(self._path)
        except BadKeysFile as error:
            service_log.get_logger().error("api keys invalid", error=str(error), keys=len(self))
        else:
            service_log.get_logger().info("api keys read", keys=len(self))

    async def keep_current(self) -> None:
        """Run until cancelled."""
        while True:
            await asyncio.sleep(CHECK_INTERVAL_S)
            await asyncio.to_thread(self.reload_if_changed)


def _version(path: Path) -> tuple[int, ...] | None:
    """Return what changes when the file is written or replaced; None if there is no file."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size


def _read(path: Path) -> Mapping[str, ApiKey]:
    try:
        entries = ENTRIES.validate_json(path.read_bytes())
    except OSError as error:
        raise BadKeysFile(f"API_KEYS_FILE={path}: {error.strerror}") from error
    except ValidationError as error:
        details = error.errors(include_url=False, include_context=False, include_input=False)[0]
        # An unknown field's name is text of the file.
        parts = details["loc"][:-1] if details["type"] == "extra_forbidden" else details["loc"]
        place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts)
        raise BadKeysFile(f"API_KEYS_FILE={path}: {place}{': ' if place else ''}{details['msg']}") from None
    for field in ("name", "sha256"):
        (value, count), *_ = Counter(getattr(entry, field) for entry in entries).most_common(1)
        if count > 1:
            raise BadKeysFile(f"API_KEYS_FILE={path}: {count} entries have the {field} {value}")
    return {entry.sha256: entry for entry in entries}


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m proxy.api_keys", description="Makes an API key, and its entry for API_KEYS_FILE."
    )
    parser.add_argument("name", metavar="NAME", help="letters, digits, dots, hyphens and underscores")
    parser.add_argument("--role", choices=list(Role), default=Role.CLIENT, help="default: client")
    parser.add_argument("--max-queued", type=int, metavar="N", help="limit on its unfinished jobs")
    parser.add_argument("--rate", help="limit on its requests, such as 10/second")
    args = parser.parse_args(argv)
    key = secrets.token_urlsafe(32)
    entry: dict[str, Any] = {"name": args.name, "sha256": digest(key), "role": args.role}
    entry |= {name: value for name in ("max_queued", "rate") if (value := getattr(args, name)) is not None}
    try:
        ApiKey.model_validate(entry)
    except ValidationError as error:
        details = error.errors()[0]
        parser.error(f"{details['loc'][0]}: {details['msg']}")
    print(f"The key, which is shown only now: {key}", file=sys.stderr)
    print(json.dumps(entry))


if __name__ == "__main__":
    main()
