"""What `make run` can be told."""

from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationInfo, field_validator

from service_settings import ROOT, ServiceSettings

Exported = Literal["mobilenet_v2", "inception_v3"]
"""The models that `make run` can export. README.md says how any other two are served."""


class LocalSettings(ServiceSettings):
    port: int = Field(8000, ge=1, le=65535)
    """Where the proxy answers. The one port a client needs."""
    models_dir: Path = ROOT / "var" / "models"
    """Exported models, as `<name>/<version>/`."""
    data_dir: Path = ROOT / "var" / "data"
    """Redis's append-only file, and what this run was started with."""
    appendfsync: Literal["everysec", "always"] = "everysec"
    """When Redis has its disk write for good: a power cut costs up to a second of jobs, or none, which is slower."""
    redis_maxmemory: str = Field("1gb", pattern="^[1-9][0-9]*([kmg]b?)?$")
    """What Redis may hold. Beyond it, it refuses jobs, and the fast answers go out without one."""
    allow_untrained: bool = True
    """Go on with untrained weights where no trained ones can be had, and say so where nobody can miss it."""
    model_server_flags: str = ""
    """More flags for both model servers, such as `--engine=tensorflow` or `--inference_precision=float32`."""
    fast_model: Exported = "mobilenet_v2"
    accurate_model: Exported = "inception_v3"
    fast_model_port: int = Field(8500, ge=1, le=65534)
    """gRPC; REST is on the next. This port, the accurate model's and Redis's give way to free ones where taken."""
    accurate_model_port: int = Field(8510, ge=1, le=65534)
    redis_port: int = Field(6379, ge=1, le=65535)

    @field_validator("fast_model")
    @classmethod
    def _not_the_accurate_one(cls, name: str, info: ValidationInfo) -> str:
        if name == info.data.get("accurate_model"):
            raise ValueError("this is the accurate model too; set FAST_MODEL and ACCURATE_MODEL to two models")
        return name

    @field_validator("models_dir", "data_dir")
    @classmethod
    def _absolute(cls, path: Path) -> Path:
        return path.expanduser().absolute()
