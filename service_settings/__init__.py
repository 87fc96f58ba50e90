"""The settings that the proxy and the worker share, from the environment."""

import re
import sys
import tomllib
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Final, Literal, Self
from urllib.parse import SplitResult, parse_qsl, urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, FilePath, ValidationError, ValidationInfo, field_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict
from redis.asyncio import ConnectionPool
from redis.exceptions import RedisError

ROOT: Final = Path(__file__).resolve().parent.parent


def project_version() -> str:
    """Return the version number from pyproject.toml."""
    version: str = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    return version


def _parse_seconds(value: object) -> object:
    try:
        return timedelta(seconds=float(value))  # type: ignore[arg-type] # other types raise a TypeError
    except (TypeError, ValueError, OverflowError):
        return value


SecondsOrZero = Annotated[timedelta, BeforeValidator(_parse_seconds), Field(ge=timedelta(0))]
"""A duration of 0 or more, written as a number of seconds (`0.25`) or in ISO 8601 (`PT15M`)."""

Seconds = Annotated[timedelta, BeforeValidator(_parse_seconds), Field(ge=timedelta(milliseconds=1))]
"""A duration of at least a millisecond, the unit of Redis: a timeout or a lease of 0 is a mistake."""


def _to_upper_case(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


BAD_URL: Final = (
    "not a URL like redis://user:password@host:6379/0; special characters in the password must be percent-encoded, "
    "such as %2F for a slash"
)


def _check_redis_url(url: str) -> str:
    """Make a connection, without opening it: what it refuses would otherwise fail in every request."""
    if not url.startswith(("redis://", "rediss://")):
        raise ValueError("only redis://HOST:PORT/DB and, with TLS, rediss://HOST:PORT/DB are supported")
    _, *after_authority = re.split("[/?#]", url.partition("://")[2], maxsplit=1)
    if any("@" in text for text in after_authority):
        raise ValueError(BAD_URL)
    parts = urlsplit(url)
    unsupported = [name for name, _ in parse_qsl(parts.query, keep_blank_values=True) if not _is_supported(parts, name)]
    if unsupported:
        raise ValueError(f"the option {unsupported[0]!r} is not supported; only db and, with rediss://, ssl_… are")
    try:
        ConnectionPool.from_url(url).make_connection()  # type: ignore[no-untyped-call] # untyped in redis-py
    except (RedisError, TypeError) as error:
        raise ValueError(str(error)) from error
    except ValueError:  # its message may contain a part of the password
        raise ValueError(BAD_URL) from None
    return url


def _is_supported(parts: SplitResult, option: str) -> bool:
    return option == "db" or (parts.scheme == "rediss" and option.startswith("ssl_"))


Scores = Literal["softmax", "logits"]
IMAGENET_LABELS: Final = ROOT / "data" / "imagenet_labels.json"
DEMO_MODELS: Final = ("mobilenet_v2", "inception_v3")
"""These get `IMAGENET_LABELS` if no labels are set."""
TEST_IMAGE: Final = ROOT / "data" / "cat.jpg"
TEST_TEXT: Final = b"The quick brown fox jumps over the lazy dog."


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """The settings of one model."""

    prefix: Literal["FAST", "ACCURATE"]
    """Of the names of its variables."""
    model: str
    address: str
    labels: Path | None
    labels_variable: str
    signature: str | None
    scores: Scores


class ServiceSettings(BaseSettings):
    """The environment variable of a field has the field's name in upper case."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True, use_attribute_docstrings=True)

    log_level: Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], BeforeValidator(_to_upper_case)] = "INFO"
    """The lowest level that is logged."""
    log_format: Literal["logfmt", "json"] = "logfmt"
    """`json`: one JSON object per line, with the host and the process id."""

    accurate_model: str = "inception_v3"
    """The name that the model is served under."""
    accurate_model_address: str = "localhost:8510"
    """`host:port` of the model server's gRPC API. Calls are balanced over all addresses that the name resolves to."""
    accurate_labels: FilePath | None = None
    """A JSON file: an array of class names, one for each score."""
    accurate_signature: str | None = None
    """The signature to call. Without it `serving_default`, or else the only one that fits the model contract."""
    accurate_scores: Scores = "softmax"
    """What the model returns: probabilities, or logits, which get a softmax."""
    labels: FilePath | None = None
    """The labels of both models, unless they have labels of their own. The demo's models have ImageNet's; of any other
    model without labels, the index of a class is its label."""
    input: Literal["image", "text", "bytes"] = "image"
    """What clients submit: an image, a text in UTF-8, or bytes of any kind."""
    test_input: FilePath | None = Field(None, validate_default=True)
    """An input that both models accept. The models are checked with it, and `/predict/test` predicts it. Without it, it
    is `data/cat.jpg`, or a short text."""

    redis_url: Annotated[str, AfterValidator(_check_redis_url)] = "redis://localhost:6379/0"
    """`redis://user:password@host:port/db` or, with TLS, `rediss://`."""
    job_ttl: Seconds = timedelta(days=1)
    """How long a job can be fetched after it has ended."""
    pending_ttl: Seconds = timedelta(days=7)
    """How long a job may wait for a worker."""
    max_queue_length: int = Field(10_000, gt=0)
    """Maximum number of jobs that are queued or processing."""

    @field_validator("test_input")
    @classmethod
    def _is_known(cls, path: Path | None, info: ValidationInfo) -> Path | None:
        if path is None and info.data.get("input") == "bytes":
            raise ValueError("INPUT=bytes needs TEST_INPUT, a file with an input that both models accept")
        return path

    def read_test_input(self) -> bytes:
        if self.test_input:
            return self.test_input.read_bytes()
        return TEST_TEXT if self.input == "text" else TEST_IMAGE.read_bytes()

    @property
    def accurate(self) -> ModelSettings:
        labels = self._labels(self.accurate_model, "ACCURATE", self.accurate_labels)
        return ModelSettings(
            "ACCURATE", self.accurate_model, self.accurate_model_address, *labels, self.accurate_signature,
            self.accurate_scores,
        )  # fmt: skip

    def _labels(self, model: str, prefix: str, own: Path | None) -> tuple[Path | None, str]:
        """Return the labels of a model, and the variable that they come from or that replaces them."""
        if own or not self.labels:
            return own or (IMAGENET_LABELS if model in DEMO_MODELS else None), f"{prefix}_LABELS"
        return self.labels, "LABELS"

    @classmethod
    def variables(cls) -> frozenset[str]:
        """Return the names of the environment variables."""
        return frozenset(name.upper() for name in cls.model_fields)

    @classmethod
    def from_environment(cls, process: str) -> Self:
        """Read the environment, or exit with one line for each invalid variable."""
        try:
            return cls()
        except ValidationError as error:
            sys.exit("\n".join(f"{process}: {_describe(details)}" for details in error.errors()))


def _describe(error: ErrorDetails) -> str:
    variable = ".".join(map(str, error["loc"])).upper()
    return f"{variable}={_without_password(str(error['input']))}: {error['msg']}"


def _without_password(url: str) -> str:
    """The password may contain slashes and further `@`s."""
    scheme, separator, _ = url.rpartition("@")[0].partition("://")
    hidden = f"{scheme}://***@" if separator else "***@"
    text = hidden + url.rpartition("@")[2] if "@" in url else url
    return re.sub(r"(password=)[^&]*", r"\1***", text)
