"""What the proxy and the worker are both told by the environment, so that it is spelled and meant the same."""

import re
import sys
import tomllib
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, FilePath, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict
from redis.connection import parse_url

ROOT: Final = Path(__file__).resolve().parent.parent


def project_version() -> str:
    """Return the version number, which pyproject.toml alone holds."""
    version: str = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    return version


def _seconds(value: object) -> object:
    try:
        return timedelta(seconds=float(value))  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return value


SecondsOrZero = Annotated[timedelta, BeforeValidator(_seconds), Field(ge=timedelta(0))]
"""A span of time, written as a number of seconds (`0.25`) or in ISO 8601 (`PT15M`); 0 is no time at all."""

Seconds = Annotated[timedelta, BeforeValidator(_seconds), Field(ge=timedelta(milliseconds=1))]
"""A span of time of which there must be some: a limit or a lease of 0 is a mistake. Redis counts milliseconds."""


def _capitals(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


def _redis_url(url: str) -> str:
    parse_url(url)  # type: ignore[no-untyped-call] # says itself what is wrong
    return url


class ServiceSettings(BaseSettings):
    """Each field is the environment variable of its name in capitals."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True)

    log_level: Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], BeforeValidator(_capitals)] = "INFO"
    log_format: Literal["logfmt", "json"] = "logfmt"

    accurate_model: str = "inception_v3"
    """The name it is served under."""
    accurate_model_address: str = "localhost:8510"
    """`host:port` of its gRPC API; a name of several addresses shares the calls among them."""
    labels: FilePath = ROOT / "data" / "imagenet_labels.json"
    """A JSON array of names, one for each score of both models."""

    redis_url: Annotated[str, AfterValidator(_redis_url)] = "redis://localhost:6379/0"
    job_ttl: Seconds = timedelta(days=1)
    """How long an answer can be fetched after its job ended."""
    pending_ttl: Seconds = timedelta(days=7)
    """How long a job may wait for a worker."""
    max_queue_length: int = Field(10_000, gt=0)
    """Jobs that may wait or be worked on at once."""

    @classmethod
    def from_environment(cls, process: str) -> Self:
        """Read the environment, or end the process with a line for each variable that makes no sense."""
        try:
            return cls()
        except ValidationError as error:
            faults = (
                f"{'.'.join(map(str, e['loc'])).upper()}={_shown(e['input'])}: {e['msg']}" for e in error.errors()
            )
            sys.exit("\n".join(f"{process}: {fault}" for fault in faults))


def _shown(value: object) -> str:
    """Without the password of a URL."""
    return re.sub(r"[^/]*@", "***@", str(value))
