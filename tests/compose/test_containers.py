"""The limits and privileges of each running container."""

import json

import pytest

from tests.compose.compose_stack import SERVICES, Stack
from tests.compose.container import Container
from tests.compose.engine import docker
from tests.compose.variants import in_one_variant

every_service = pytest.mark.parametrize("service", SERVICES)


def test_there_is_one_container_of_each_service(stack: Stack) -> None:
    assert sorted(container.service for container in stack.containers()) == sorted(SERVICES)


async def test_each_container_is_healthy_and_was_never_restarted(stack: Stack) -> None:
    await stack.wait_until_healthy()
    assert {container.service: container.restarts for container in stack.containers()} == dict.fromkeys(SERVICES, 0)


@every_service
def test_a_container_runs_as_an_unprivileged_user(stack: Stack, service: str) -> None:
    process = stack.container(service).main_process()
    assert "0" not in process["Uid"].split()
    assert int(process["CapEff"], 16) == int(process["CapBnd"], 16) == 0
    assert process["NoNewPrivs"] == "1"


@every_service
def test_a_container_can_write_only_where_it_must(stack: Stack, service: str) -> None:
    container = stack.container(service)
    assert container.inspect()["HostConfig"]["ReadonlyRootfs"]
    writable = container.run("sh", "-c", "for d in / /app /etc /models /tmp /data; do test ! -w $d || echo $d; done")
    assert writable.split() == (["/tmp", "/data"] if service == "redis" else ["/tmp"])


@in_one_variant
def test_only_the_proxy_publishes_a_port(stack: Stack) -> None:
    published = {c.service: list(c.inspect()["HostConfig"]["PortBindings"] or {}) for c in stack.containers()}
    assert {service: ports for service, ports in published.items() if ports} == {"proxy": ["8000/tcp"]}


@in_one_variant
def test_only_the_proxy_can_reach_external_networks(stack: Stack) -> None:
    def networks(container: Container) -> set[str]:
        return {name.removeprefix(f"{stack.project}_") for name in container.inspect()["NetworkSettings"]["Networks"]}

    assert {c.service: networks(c) for c in stack.containers()} == {
        **{service: {"inside"} for service in SERVICES},
        "proxy": {"inside", "outside"},
    }
    assert docker("network", "inspect", "-f", "{{.Internal}}", f"{stack.project}_inside") == "true"


@in_one_variant
@every_service
def test_the_memory_and_the_log_of_a_container_are_limited(stack: Stack, service: str) -> None:
    host = stack.container(service).inspect()["HostConfig"]
    assert 0 < host["Memory"] <= 4 * 2**30
    assert host["LogConfig"] == {"Type": "json-file", "Config": {"max-file": "3", "max-size": "10m"}}
    assert host["RestartPolicy"]["Name"] == "unless-stopped"


@in_one_variant
def test_the_accurate_model_and_the_worker_have_a_smaller_cpu_share(stack: Stack) -> None:
    shares = {c.service: c.inspect()["HostConfig"]["CpuShares"] for c in stack.containers()}
    assert shares["imagenet-inception-v3"] * 8 == shares["imagenet-mobilenet-v2"]
    assert shares["backend"] < shares["proxy"]


@in_one_variant
def test_redis_persists_its_data_and_evicts_nothing(stack: Stack) -> None:
    config = json.loads(stack.container("redis").run("redis-cli", "--json", "config", "get", "*"))
    assert config["appendonly"] == "yes"
    assert config["appendfsync"] == "everysec"
    assert config["maxmemory-policy"] == "noeviction"
    assert 0 < int(config["maxmemory"]) < stack.container("redis").inspect()["HostConfig"]["Memory"]
