"""The worker's settings, from the environment."""

from datetime import timedelta
from pathlib import Path

from pydantic import Field

from service_settings import Seconds, SecondsOrZero, ServiceSettings


class Settings(ServiceSettings):
    batch_size: int = Field(8, ge=1)
    """Maximum number of images in one Predict."""
    batch_bytes: int = Field(24 * 1024 * 1024, gt=0)
    """Maximum size of the images in one claim, unless a single image has more. Two such claims at the same time arrive
    within `redis_timeout` at 100 Mbit/s."""
    batches_in_flight: int = Field(2, ge=1)
    """Concurrent batches: the model server has the next batch already while the results of one are recorded."""
    predict_deadline: Seconds = timedelta(seconds=60)
    """Time limit of one Predict, which contains a whole batch."""
    lease: Seconds = timedelta(seconds=15)
    """How long a job stays with a worker that sends no heartbeat, before another worker may claim it."""
    max_attempts: int = Field(3, ge=1)
    """Attempts that may end without a result before the job becomes a dead letter."""
    health_socket: Path | None = None
    """The Unix socket that answers `python -m backend.health`; set in the worker's container image."""
    redis_timeout: Seconds = timedelta(seconds=5)
    """Time limit of a Redis command."""
    shutdown_grace: SecondsOrZero = timedelta(seconds=20)
    """How long claimed batches may take to finish after SIGTERM; unfinished jobs are then requeued."""
