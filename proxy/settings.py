"""The proxy's settings, from the environment."""

import ipaddress
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Final

from pydantic import AfterValidator, Field, FilePath

from proxy.body import BodyRate
from proxy.http_limits import HttpLimits
from proxy.normalizer import CONCURRENCY
from proxy.rate_limits import Rate
from service_settings import ModelSettings, Scores, Seconds, SecondsOrZero, ServiceSettings

RENAMED: Final[Mapping[str, str]] = {"QUEUE_REST": "QUEUE_COOLDOWN", "TEST_IMAGE": "TEST_INPUT"}
"""Old names of settings. They have no effect except a warning at start-up."""


def _check_networks(text: str) -> str:
    for part in filter(None, text.split(",")):
        try:
            ipaddress.ip_network(part.strip())
        except ValueError as error:
            raise ValueError(f"not addresses and networks like 10.0.0.1,fd00::/8: {error}") from None
    return text


def _check_is_no_key(name: str) -> str:
    if name == "job_id":
        raise ValueError("responses have the fast model's name as a key beside job_id: serve it under another name")
    return name


class Settings(ServiceSettings):
    host: str = "0.0.0.0"  # noqa: S104 (a container must listen on all interfaces; `make run` sets 127.0.0.1)
    """The address to listen on."""
    port: int = Field(8000, ge=0, le=65535)
    """The port to listen on; 0 chooses a free one."""
    root_path: str = Field("", pattern="^(/[A-Za-z0-9._~-]+)*$")
    """The path prefix under which a reverse proxy publishes the endpoints, such as `/images`."""
    workers: int = Field(1, ge=1)
    """Processes that share the port and, in equal parts, `MAX_CONNECTIONS`, `MAX_BYTES_IN_FLIGHT` and the image
    decoders."""
    max_connections: int = Field(1_000, ge=1)
    """Further connections get a 503 and are closed."""
    header_timeout: Seconds = timedelta(seconds=10)
    """How long a request's headers may take to arrive. The client then gets a 408."""
    keep_alive_timeout: Seconds = timedelta(seconds=5)
    """How long an idle connection stays open."""

    api_keys_file: Path | None = None
    """Requests need an API key of this file. Without it, every client is served."""
    max_queued_per_client: int = Field(0, ge=0)
    """Maximum number of unfinished jobs of one client: of an API key without its own limit or, without keys, of an
    address. 0: no limit, because behind a load balancer that `FORWARDED_ALLOW_IPS` does not name, all clients have one
    address."""
    rate_per_client: Rate | None = None
    """Likewise for requests, such as `10/second`. Each of `WORKERS` allows its share."""
    forwarded_allow_ips: Annotated[str, AfterValidator(_check_networks)] = ""
    """Addresses and networks, separated by commas, of proxies whose header `X-Forwarded-For` gives the address of the
    client."""

    fast_model: Annotated[str, AfterValidator(_check_is_no_key)] = "mobilenet_v2"
    """The name the model is served under, and the key of its label in responses, which also have the key `job_id`."""
    fast_model_address: str = "localhost:8500"
    """`host:port` of the model server's gRPC API."""
    fast_labels: FilePath | None = None
    """A JSON file: an array of class names, one for each score."""
    fast_signature: str | None = None
    """The signature to call. Without it `serving_default`, or else the only one that fits the model contract."""
    fast_scores: Scores = "softmax"
    """What the model returns: probabilities, or logits, which get a softmax."""
    fast_model_deadline: Seconds = timedelta(seconds=5)
    """Time limit of one Predict. A request whose Predict takes longer gets a 504."""
    fast_model_concurrency: int = Field(4, ge=1)
    """Concurrent Predicts of one process. The model server's threads set the useful limit: TensorFlow Serving has four
    per processor, and refuses more calls."""
    fast_model_batch_size: int = Field(8, ge=1)
    """Maximum number of images in one Predict. Batches are smaller while the model misses its deadline."""
    fast_model_queue_timeout: Seconds = timedelta(seconds=5)
    """A request that waits longer in the queue for the fast model, or for image decoding, gets a 503."""
    max_waiting: int = Field(128, ge=0)
    """Maximum length of each of these two queues. Further requests get a 503."""
    health_deadline: Seconds = timedelta(seconds=1)
    """A model that does not report its status in time is `ng`."""

    max_image_bytes: int = Field(20 * 1024 * 1024, gt=0)
    """Maximum size of one encoded image."""
    max_image_pixels: int = Field(50_000_000, gt=0)
    """Maximum width times height."""
    max_text_bytes: int = Field(64 * 1024, gt=0)
    """Maximum size of a text in UTF-8, with `INPUT=text`."""
    max_data_bytes: int = Field(20 * 1024 * 1024, gt=0)
    """Maximum size of the data, with `INPUT=bytes`."""

    max_bytes_in_flight: int = Field(256 * 1024 * 1024, gt=0)
    """Maximum size of all concurrent uploads. Further ones get a 503. The last quarter is reserved
    for uploads of at most 1 MiB."""
    normalized_side: int = Field(448, ge=0)
    """The shorter side, in pixels, to which an image is scaled down if its shorter side is at least twice as long.
    An image of more than 16 times the square of this is scaled down to so many pixels. Models of
    one's own need at least 1.5 times the side of the larger one's input; the demo's take 224 and 299 pixels.
    0: images keep their size."""

    body_timeout: Seconds = timedelta(seconds=60)
    """A body that takes longer to arrive gets a 408, so that a slow client can't hold its connection forever."""
    min_body_rate: int = Field(4096, ge=1)
    """Bytes per second. A body that arrives more slowly gets a 408. A large body must be faster, to arrive within
    `BODY_TIMEOUT`."""
    body_grace: Seconds = timedelta(seconds=5)
    """How long a body may fall behind that rate."""

    redis_timeout: Seconds = timedelta(seconds=2)
    """Time limit for reading a job."""
    queue_timeout: Seconds = timedelta(milliseconds=250)
    """Time limit for queueing a job. After it, the fast answer is sent without a job."""
    queue_cooldown: SecondsOrZero = timedelta(seconds=1)
    """After queueing failed, jobs are shed for this long without contacting Redis."""

    @property
    def fast(self) -> ModelSettings:
        labels = self._labels(self.fast_model, "FAST", self.fast_labels)
        return ModelSettings(
            "FAST", self.fast_model, self.fast_model_address, *labels, self.fast_signature, self.fast_scores
        )

    @property
    def http_limits(self) -> HttpLimits:
        """For one process."""
        return HttpLimits(
            max_connections=max(1, self.max_connections // self.workers),
            head_timeout=self.header_timeout,
            keep_alive_timeout=self.keep_alive_timeout,
        )

    @property
    def decoders(self) -> int:
        """Images that one process decodes at a time."""
        return max(1, CONCURRENCY // self.workers)

    @property
    def max_bytes_in_flight_per_process(self) -> int:
        return self.max_bytes_in_flight // self.workers

    @property
    def body_rate(self) -> BodyRate:
        return BodyRate(self.body_timeout, self.min_body_rate, self.body_grace)

    @property
    def max_payload_bytes(self) -> int:
        return {"image": self.max_image_bytes, "text": self.max_text_bytes, "bytes": self.max_data_bytes}[self.input]
