"""What `make run` starts."""

import pytest

from deploy.local.services import Addresses, services
from deploy.local.settings import LocalSettings
from local_tf_serving.flags import parse


def test_both_model_servers_are_given_the_flags_that_were_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODEL_SERVER_FLAGS", "--engine=tensorflow  --inference_precision=float32")
    started = services(LocalSettings(), Addresses(8000, 8500, 8510, 6379))
    servers = [service.command for service in started if "local_tf_serving" in service.command]
    assert len(servers) == 2
    for command in servers:
        flags = parse(command[command.index("local_tf_serving") + 1 :])
        assert (flags.engine, flags.inference_precision) == ("tensorflow", "float32")


def test_the_accurate_model_and_its_worker_yield_the_processor_to_the_fast_one() -> None:
    started = services(LocalSettings(), Addresses(8000, 8500, 8510, 6379))
    yielding = {service.name for service in started if "nice" in service.command[0]}
    assert yielding == {"inception_v3", "backend"}
