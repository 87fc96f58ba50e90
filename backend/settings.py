"""The worker's settings, from the environment."""

from datetime import timedelta
from pathlib import Path

from pydantic import Field

from service_settings import Seconds, SecondsOrZero, ServiceSettings


class Settings(ServiceSettings):
    batch_size: int = Field(8, ge=1)
    """Images in one Predict, at most."""
    batches_in_flight: int = Field(2, ge=1)
    """Batches worked on at once: while one is being answered, the next is already at the model."""
    predict_deadline: Seconds = timedelta(seconds=60)
    """For one Predict of a whole batch."""
    lease: Seconds = timedelta(seconds=15)
    """How long a worker may be silent about a job before another takes it."""
    max_attempts: int = Field(3, ge=1)
    """Attempts that may end with no answer before a job is a dead letter."""
    health_socket: Path | None = None
    """Where the worker answers `python -m backend.health`. Its image sets it."""
    redis_timeout: Seconds = timedelta(seconds=5)
    shutdown_grace: SecondsOrZero = timedelta(seconds=20)
    """After SIGTERM, what is in hand may take this long; what is not done then is given back."""
