"""The processes that `make run` starts."""

from typing import Final

import pytest
from pydantic import ValidationError

from deploy.local.services import Ports, services
from deploy.local.settings import PROCESSES, LocalSettings
from local_tf_serving.flags import parse

PORTS: Final = Ports(8000, 8500, 8510, 6379)


def test_both_model_servers_get_the_configured_flags(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODEL_SERVER_FLAGS", "--engine=tensorflow  --inference_precision=float32")
    commands = [service.command for service in services(LocalSettings(), PORTS)]
    model_servers = [command for command in commands if "local_tf_serving" in command]
    assert len(model_servers) == 2
    for command in model_servers:
        flags = parse(command[command.index("local_tf_serving") + 1 :])
        assert (flags.engine, flags.inference_precision) == ("tensorflow", "float32")


def test_the_accurate_model_and_the_worker_run_at_low_priority() -> None:
    niced = {service.name for service in services(LocalSettings(), PORTS) if "nice" in service.command[0]}
    assert niced == {"inception_v3", "backend"}


@pytest.mark.parametrize("name", ["redis", "backend", "proxy", "summary"])
def test_a_model_cannot_have_the_name_of_a_process(name: str) -> None:
    with pytest.raises(ValidationError, match="export the model with another name"):
        LocalSettings(fast_model=name)


def test_every_process_of_make_run_is_a_name_that_models_cannot_have() -> None:
    settings = LocalSettings()
    names = {service.name for service in services(settings, PORTS)}
    assert names == {*PROCESSES, settings.fast_model, settings.accurate_model}
