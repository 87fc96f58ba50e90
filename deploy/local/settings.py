"""What `make run` can be told."""

from pathlib import Path

from pydantic import Field, field_validator

from service_settings import ROOT, ServiceSettings


class LocalSettings(ServiceSettings):
    port: int = Field(8000, ge=1, le=65535)
    """Where the proxy answers. The one port a client needs."""
    models_dir: Path = ROOT / "var" / "models"
    """Exported models, as `<name>/<version>/`."""
    data_dir: Path = ROOT / "var" / "data"
    """Redis's append-only file, and what this run was started with."""
    allow_untrained: bool = True
    """Go on with untrained weights where no trained ones can be had, and say so where nobody can miss it."""
    fast_model: str = "mobilenet_v2"
    fast_model_port: int = Field(8500, ge=1, le=65534)
    """gRPC; REST is on the next. This port, the accurate model's and Redis's give way to free ones where taken."""
    accurate_model_port: int = Field(8510, ge=1, le=65534)
    redis_port: int = Field(6379, ge=1, le=65535)

    @field_validator("models_dir", "data_dir")
    @classmethod
    def _absolute(cls, path: Path) -> Path:
        return path.expanduser().absolute()
