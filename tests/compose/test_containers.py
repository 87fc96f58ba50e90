"""What each running container is, and is not, allowed to do."""

import json

import pytest

from tests.compose.compose_stack import Stack
from tests.compose.container import Container
from tests.compose.engine import docker
from tests.compose.variants import in_one_variant

SERVICES = ("proxy", "backend", "imagenet-mobilenet-v2", "imagenet-inception-v3", "redis")
every_service = pytest.mark.parametrize("service", SERVICES)


def test_there_is_one_container_of_each_service(stack: Stack) -> None:
    assert sorted(container.service for container in stack.containers()) == sorted(SERVICES)


async def test_each_is_healthy_and_was_never_restarted(stack: Stack) -> None:
    await stack.until_healthy()
    assert {container.service: container.restarts for container in stack.containers()} == dict.fromkeys(SERVICES, 0)


@every_service
def test_it_runs_as_a_user_without_any_privilege(stack: Stack, service: str) -> None:
    process = stack.container(service).main_process()
    assert "0" not in process["Uid"].split()
    assert int(process["CapEff"], 16) == int(process["CapBnd"], 16) == 0
    assert process["NoNewPrivs"] == "1"


@every_service
def test_it_can_write_nowhere_but_where_it_must(stack: Stack, service: str) -> None:
    container = stack.container(service)
    assert container.inspect()["HostConfig"]["ReadonlyRootfs"]
    writable = container.run("sh", "-c", "for d in / /app /etc /models /tmp /data; do test ! -w $d || echo $d; done")
    assert writable.split() == (["/tmp", "/data"] if service == "redis" else ["/tmp"])


@in_one_variant
def test_only_the_proxy_publishes_a_port(stack: Stack) -> None:
    published = {c.service: list(c.inspect()["HostConfig"]["PortBindings"] or {}) for c in stack.containers()}
    assert {service: ports for service, ports in published.items() if ports} == {"proxy": ["8000/tcp"]}


@in_one_variant
def test_only_the_proxy_can_reach_the_outside(stack: Stack) -> None:
    def networks(container: Container) -> set[str]:
        return {name.removeprefix(f"{stack.project}_") for name in container.inspect()["NetworkSettings"]["Networks"]}

    assert {c.service: networks(c) for c in stack.containers()} == {
        **{service: {"inside"} for service in SERVICES},
        "proxy": {"inside", "outside"},
    }
    assert docker("network", "inspect", "-f", "{{.Internal}}", f"{stack.project}_inside") == "true"


@in_one_variant
@every_service
def test_its_memory_and_its_log_have_limits(stack: Stack, service: str) -> None:
    host = stack.container(service).inspect()["HostConfig"]
    assert 0 < host["Memory"] <= 4 * 2**30
    assert host["LogConfig"] == {"Type": "json-file", "Config": {"max-file": "3", "max-size": "10m"}}
    assert host["RestartPolicy"]["Name"] == "unless-stopped"


@in_one_variant
def test_the_accurate_half_yields_the_processor_to_the_fast_one(stack: Stack) -> None:
    shares = {c.service: c.inspect()["HostConfig"]["CpuShares"] for c in stack.containers()}
    assert shares["imagenet-inception-v3"] * 8 == shares["imagenet-mobilenet-v2"]
    assert shares["backend"] < shares["proxy"]


@in_one_variant
def test_redis_keeps_what_it_was_given_and_drops_nothing(stack: Stack) -> None:
    said = json.loads(stack.container("redis").run("redis-cli", "--json", "config", "get", "*"))
    assert said["appendonly"] == "yes"
    assert said["appendfsync"] == "everysec"
    assert said["maxmemory-policy"] == "noeviction"
    assert 0 < int(said["maxmemory"]) < stack.container("redis").inspect()["HostConfig"]["Memory"]
