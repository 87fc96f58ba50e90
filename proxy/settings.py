"""The proxy's settings, from the environment."""

from datetime import timedelta

from pydantic import Field, FilePath

from service_settings import ROOT, Seconds, SecondsOrZero, ServiceSettings


class Settings(ServiceSettings):
    host: str = "0.0.0.0"  # noqa: S104 (a container's only way in; `make run` sets 127.0.0.1)
    port: int = Field(8000, ge=0, le=65535)
    workers: int = Field(1, ge=1)
    """Processes that share the port."""

    fast_model: str = "mobilenet_v2"
    """The name it is served under, and the key of its answer."""
    fast_model_address: str = "localhost:8500"
    fast_model_deadline: Seconds = timedelta(seconds=5)
    """A request waits this long for its turn (then: 503), and its turn may take this long (then: 504)."""
    fast_model_concurrency: int = Field(4, ge=1)
    """Predicts that one process has at the fast model at once. Its own threads set the limit: TensorFlow Serving has
    four for each processor, and refuses what comes beyond them."""
    fast_model_batch_size: int = Field(8, ge=1)
    """Images in one Predict, where so many are waiting. The deadline is for all of them: while a model is too slow for
    that, there are fewer."""
    max_waiting: int = Field(128, ge=0)
    """Requests that may wait for a turn. One more gets a 503."""
    health_deadline: Seconds = timedelta(seconds=1)
    """A model that does not say how it is within this is `ng`."""
    test_image: FilePath = ROOT / "data" / "cat.jpg"

    max_image_bytes: int = Field(20 * 1024 * 1024, gt=0)
    """Of one encoded image."""
    max_image_pixels: int = Field(50_000_000, gt=0)
    """Width times height."""

    max_bytes_in_flight: int = Field(256 * 1024 * 1024, gt=0)
    """Of all uploads that one process holds. One more gets a 503."""
    normalized_side: int = Field(448, ge=0)
    """Pixels on the shorter side of what goes to the models, where an image has twice that or more: the models take 224
    and 299. 0: images keep their size."""

    body_timeout: Seconds = timedelta(seconds=60)
    """A body that takes longer to come gets a 408: a client that trickles must not hold its connection for ever."""

    redis_timeout: Seconds = timedelta(seconds=2)
    """Who asks for a job waits this long for Redis."""
    queue_timeout: Seconds = timedelta(milliseconds=250)
    """The fast answer waits this long for the queue and no longer."""
    queue_rest: SecondsOrZero = timedelta(seconds=1)
    """After the queue did not answer, it is left alone for this long: fast answers go out without a job."""
