"""Runs the commands and configurations of docs/operations.md."""

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Final

import httpx
import pytest
import pytest_asyncio

import service_log
from deploy.local.commands import shell_commands
from deploy.local.services import Ports, environment, services
from deploy.local.settings import LocalSettings
from harness.process import ROOT, Process, free_port
from harness.stack import Stack
from harness.waiting import wait_until
from tests.proxy.own_proxy import own_proxy

PAGE: Final = (ROOT / "docs" / "operations.md").read_text("utf-8")
COMMANDS: Final = dict(re.findall(r"^# (\w+)\n(.+)$", PAGE, re.M))


def block(start: str) -> str:
    """Return the code block that begins with `start`."""
    [text] = [each for each in re.findall(r"```\w+\n(.*?)```", PAGE, re.S) if each.startswith(start)]
    return str(text)


def test_the_commands_are_those_that_make_run_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in LocalSettings.variables():
        monkeypatch.delenv(variable, raising=False)
    settings, ports = LocalSettings(), Ports(proxy=8000, fast_model=8500, accurate_model=8510, redis=6379)
    started = shell_commands(services(settings, ports), environment(settings, ports))
    shown = {name: shlex.split(command.replace("$PWD", str(ROOT))) for name, command in COMMANDS.items()}
    assert shown == {name: shlex.split(command) for name, command in started}
    assert len(shown) == 5


@pytest.mark.timeout(200)
async def test_the_commands_start_the_service_one_by_one(models_dir: Path, tmp_path: Path) -> None:
    ports = {"6379": free_port(), "8500": free_port(), "8501": free_port(), "8510": free_port(), "8511": free_port()}
    ports["8000"] = free_port()
    async with AsyncExitStack() as running:
        for name, command in reversed(COMMANDS.items()):  # the worst order
            own = re.sub(r"\b(6379|85[01][01]|8000)\b", lambda match: str(ports[match[1]]), command)
            own = own.replace("$PWD/var/models", str(models_dir)).replace("$PWD/var/data", str(tmp_path))
            process = Process(["bash", "-c", f"exec env {own}"], {}, tmp_path / f"{name}.log")
            running.enter_context(process)
        client = httpx.AsyncClient(base_url=f"http://127.0.0.1:{ports['8000']}", trust_env=False)
        await running.enter_async_context(client)

        async def has_everything() -> bool:
            try:
                return set((await client.get("/readyz")).json().values()) == {"ok"}
            except httpx.TransportError:
                return False

        await wait_until(has_everything, within=100)
        job_id = (await client.get("/predict/test")).json()["job_id"]

        async def is_refined() -> bool:
            return bool((await client.get(f"/job/{job_id}")).json()[job_id]["prediction"])

        await wait_until(is_refined)


@contextmanager
def certificates(directory: Path) -> Iterator[None]:
    """Create ca.crt, and redis.crt and redis.key for localhost."""
    subject = ["-nodes", "-newkey", "rsa:2048", "-days", "2"]
    for args in (
        ["req", "-x509", *subject, "-subj", "/CN=Test CA", "-keyout", "ca.key", "-out", "ca.crt"],
        ["req", *subject[:-2], "-subj", "/CN=localhost", "-keyout", "redis.key", "-out", "redis.csr"],
        ["x509", "-req", "-in", "redis.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
         "-extfile", "names", "-out", "redis.crt"],
    ):  # fmt: skip
        (directory / "names").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
        subprocess.run(["openssl", *args], cwd=directory, check=True, capture_output=True)
    yield


@pytest_asyncio.fixture
async def protected_redis_url(tmp_path: Path) -> AsyncIterator[str]:
    if not shutil.which("openssl") or not shutil.which("redis-server"):
        pytest.skip("needs openssl and the system's redis-server, which has TLS: apt-get install openssl redis-server")
    port = str(free_port())
    command = block("echo 'user default off").replace("6379", port).replace("redis-server", "exec redis-server")
    [url] = re.findall(r"REDIS_URL='(.*)'", PAGE)
    with (
        certificates(tmp_path),
        Process(["bash", "-c", f"cd {shlex.quote(str(tmp_path))} && {command}"], {}, tmp_path / "log") as process,
    ):

        def is_up() -> bool:
            process.check_running()
            return bool(process.logged("Ready to accept connections"))

        await wait_until(is_up)
        yield url.replace("6379", port).replace("=ca.crt", f"={tmp_path / 'ca.crt'}")


async def test_proxy_and_worker_use_a_redis_with_a_password_and_tls(
    protected_redis_url: str, stack: Stack, tmp_path: Path
) -> None:
    worker = stack.worker.variant(tmp_path / "worker", REDIS_URL=protected_redis_url)
    async with own_proxy(stack, tmp_path, REDIS_URL=protected_redis_url) as (client, proxy):
        with worker:
            assert (await client.get("/readyz")).json()["queue"] == "ok"
            job_id = (await client.get("/predict/test")).json()["job_id"]
            await wait_until(lambda: worker.logged("job finished", job_id))
        assert (await client.get(f"/job/{job_id}")).json()[job_id]["prediction"]
    for process in (proxy, worker):
        assert not process.logged("pass/word")
        assert not process.logged("pass%2Fword")


@pytest.mark.parametrize("change", [("pass%2Fword", "wrong"), ("ssl_ca_certs=", "ssl_ciphers=ALL&ssl_ca_path=")])
async def test_a_wrong_password_or_an_unknown_certificate_costs_only_the_job(
    change: tuple[str, str], protected_redis_url: str, stack: Stack, tmp_path: Path
) -> None:
    url = protected_redis_url.replace(*change)
    assert url != protected_redis_url
    async with own_proxy(stack, tmp_path, REDIS_URL=url) as (client, _):

        async def lacks_only_the_queue() -> bool:
            states = {"fast_model": "ok", "accurate_model": "ok", "queue": "ng"}
            return bool((await client.get("/readyz")).json() == states)

        await wait_until(lacks_only_the_queue)
        response = await client.get("/predict/test")
    assert response.json()["job_id"] is None
    assert response.headers["refinement"] == "shed; reason=queue-unavailable"


@pytest.mark.skipif(not shutil.which("nginx"), reason="nginx is not installed: sudo apt-get install nginx-light")
@pytest.mark.parametrize("strips", [True, False], ids=["stripped prefix", "kept prefix"])
async def test_the_configuration_of_nginx_publishes_the_service_under_its_prefix(
    strips: bool, stack: Stack, tmp_path: Path, cat: bytes
) -> None:
    port = free_port()
    async with own_proxy(stack, tmp_path, ROOT_PATH="/images") as (direct, _):
        own = (
            block("upstream")
            .replace("listen 80", f"listen 127.0.0.1:{port}")
            .replace("8000", str(direct.base_url.port))
        )
        own = own if strips else own.replace("http://proxies/;", "http://proxies;")
        paths = "".join(
            f"{kind}_temp_path {tmp_path};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        user = "user root;" if os.geteuid() == 0 else ""
        (tmp_path / "nginx.conf").write_text(
            f"{user} daemon off; error_log stderr; pid {tmp_path}/pid; events {{}}\n"
            f"http {{ access_log off; {paths} {own} }}"
        )
        with Process(["nginx", "-c", str(tmp_path / "nginx.conf")], {}, tmp_path / "nginx"):
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:

                async def is_up() -> bool:
                    try:
                        return (await client.get("/images/livez")).is_success
                    except httpx.TransportError:
                        return False

                await wait_until(is_up)
                response = await client.post("/images/predict", files={"image": cat})
                [link] = re.findall(r"<(.*)>", response.headers["link"])
                assert (await client.get(link)).json().keys() == {response.json()["job_id"]}
                assert re.fullmatch("[0-9a-f]{32}", response.headers["x-request-id"]), "nginx's id"


def test_the_events_to_alert_on_are_those_that_the_log_has() -> None:
    [alerts] = re.findall(r"^Alert on .*?(?:\n\n|\Z)", PAGE, re.M | re.S)
    events = [name for name in re.findall(r"`([^`]+)`", alerts) if "=" not in name]
    assert {"model mismatch", "version not loaded"} <= {*events}
    assert {*events} <= {*re.findall(r"^    (\S+(?: \S+)*)  ", service_log.__doc__ or "", re.M)}


def test_every_file_that_the_page_links_to_exists() -> None:
    for link in re.findall(r"\]\((?!http)([^)#]+)", PAGE):
        assert os.path.exists(ROOT / "docs" / link), link
