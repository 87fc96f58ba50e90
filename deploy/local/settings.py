"""The settings of `make run`."""

from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from service_settings import ROOT, ServiceSettings

PROCESSES: Final = ("redis", "backend", "proxy", "summary")
"""The processes of `make run` besides the model servers, which have the names of their models."""


def _check_is_no_process(name: str) -> str:
    if name in PROCESSES:
        raise ValueError("a process of `make run` has this name: export the model with another name")
    return name


Model = Annotated[str, Field(pattern="^[A-Za-z0-9_][A-Za-z0-9._-]*$"), AfterValidator(_check_is_no_process)]
"""The name of a directory in `models_dir`."""


class LocalSettings(ServiceSettings):
    port: int = Field(8000, ge=1, le=65535)
    """The proxy's port, the only one that clients need."""
    models_dir: Path = ROOT / "var" / "models"
    """Exported models, as `<name>/<version>/`."""
    data_dir: Path = ROOT / "var" / "data"
    """Redis's append-only file and supervisord's files."""
    appendfsync: Literal["everysec", "always"] = "everysec"
    """When Redis syncs its file to disk. A power failure loses up to a second of jobs with `everysec`, none with
    `always`, which is slower."""
    redis_maxmemory: str = Field("1gb", pattern="^[1-9][0-9]*([kmg]b?)?$")
    """Redis's memory limit. Above it Redis refuses new jobs, and the proxy answers without a job id."""
    allow_untrained: bool = True
    """If no trained weights are available, whether to warn and use untrained ones, or to fail."""
    model_server_flags: str = ""
    """Additional flags for both model servers, such as `--engine=tensorflow` or `--inference_precision=float32`."""
    fast_model: Model = "mobilenet_v2"
    """The name the fast model is served under."""
    accurate_model: Model = "inception_v3"
    """The name the accurate model is served under."""
    fast_model_port: int = Field(8500, ge=1, le=65534)
    """gRPC; REST uses the next port. If this port, the accurate model's or Redis's is in use, a free one is chosen."""
    accurate_model_port: int = Field(8510, ge=1, le=65534)
    """gRPC; REST uses the next port."""
    redis_port: int = Field(6379, ge=1, le=65535)
    """Redis's port."""

    @field_validator("fast_model")
    @classmethod
    def _differs_from_accurate_model(cls, name: str, info: ValidationInfo) -> str:
        if name == info.data.get("accurate_model"):
            raise ValueError("this is also the accurate model; set FAST_MODEL and ACCURATE_MODEL to different models")
        return name

    @field_validator("models_dir", "data_dir")
    @classmethod
    def _absolute(cls, path: Path) -> Path:
        return path.expanduser().absolute()
