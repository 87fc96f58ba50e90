"""The proxy's settings, from the environment."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from pydantic import Field, FilePath

from service_settings import ROOT, Seconds, SecondsOrZero, ServiceSettings

RENAMED: Final[Mapping[str, str]] = {"QUEUE_REST": "QUEUE_COOLDOWN"}
"""Old names of settings. They have no effect except a warning at start-up."""


class Settings(ServiceSettings):
    host: str = "0.0.0.0"  # noqa: S104 (a container must listen on all interfaces; `make run` sets 127.0.0.1)
    port: int = Field(8000, ge=0, le=65535)
    workers: int = Field(1, ge=1)
    """Processes that share the port."""

    fast_model: str = "mobilenet_v2"
    """The name the model is served under, and the key of its label in responses."""
    fast_model_address: str = "localhost:8500"
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
    test_image: FilePath = ROOT / "data" / "cat.jpg"

    max_image_bytes: int = Field(20 * 1024 * 1024, gt=0)
    """Maximum size of one encoded image."""
    max_image_pixels: int = Field(50_000_000, gt=0)
    """Maximum width times height."""

    max_bytes_in_flight: int = Field(256 * 1024 * 1024, gt=0)
    """Maximum size of all concurrent uploads of one process. Further uploads get a 503, unless they are small."""
    normalized_side: int = Field(448, ge=0)
    """The shorter side, in pixels, to which an image is scaled down if its shorter side is at least twice as long. The
    models use 224 and 299. 0: images keep their size."""

    body_timeout: Seconds = timedelta(seconds=60)
    """A body that takes longer to arrive gets a 408, so that a slow client can't hold its connection forever."""

    redis_timeout: Seconds = timedelta(seconds=2)
    """Time limit for reading a job."""
    queue_timeout: Seconds = timedelta(milliseconds=250)
    """Time limit for queueing a job. After it, the fast answer is sent without a job."""
    queue_cooldown: SecondsOrZero = timedelta(seconds=1)
    """After queueing failed, jobs are shed for this long without contacting Redis."""
