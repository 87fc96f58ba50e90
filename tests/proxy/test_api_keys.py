"""The file of API keys, and the command that makes one."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from background_task import background_task
from harness.process import PYTHON, Process
from harness.waiting import wait_until
from proxy import api_keys
from proxy.api_keys import ApiKeys, BadKeysFile, Role, digest
from tests.proxy.bare_proxy import bare_proxy
from tests.proxy.keys_file import ALICE, BOB, ENTRIES, OPERATOR, write_keys


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write_keys(tmp_path / "keys.json", max_queued=5, rate="10/minute")


def test_a_key_is_found_by_its_sha256(path: Path) -> None:
    keys = ApiKeys(path)
    alice = keys.find(ALICE)
    assert alice
    assert (alice.name, alice.role, alice.max_queued, str(alice.rate)) == ("alice", "client", 5, "10 per 1 minute")
    operator = keys.find(OPERATOR)
    assert operator
    assert (operator.role, operator.max_queued, operator.rate) == (Role.OPERATOR, None, None)


@pytest.mark.parametrize("key", ["", " ", ALICE + " ", digest(ALICE), "ä"])
def test_no_other_text_is_a_key(path: Path, key: str) -> None:
    assert ApiKeys(path).find(key) is None


BAD_FILES = {
    "": "Invalid JSON",
    "[": "Invalid JSON",
    "{}": "valid array",
    "[]": "at least 1 item",
    json.dumps([ENTRIES[0] | {"sha256": ALICE}]): "[0].sha256: String should match pattern",
    json.dumps([ENTRIES[0] | {"role": "admin"}]): "[0].role: Input should be 'client' or 'operator'",
    json.dumps([ENTRIES[0] | {"name": "a:b"}]): "[0].name: String should match pattern",
    json.dumps([ENTRIES[0] | {"name": None}]): "[0].name: Input should be a valid string",
    json.dumps([ENTRIES[0] | {"max_queue": 3}]): "[0]: Extra inputs are not permitted",
    json.dumps([ENTRIES[0] | {ALICE: ""}]): ": [0]: Extra inputs are not permitted",
    json.dumps([ENTRIES[0] | {"sha256": digest("")}]): "[0].sha256: Value error, this is the SHA-256 of an empty key",
    json.dumps([ENTRIES[0] | {"max_queued": 0}]): "[0].max_queued: Input should be greater than or equal to 1",
    json.dumps([ENTRIES[0] | {"rate": "often"}]): "[0].rate: Value error, not a rate like 10/second",
    json.dumps([ENTRIES[0] | {"rate": 7}]): "[0].rate: Input should be an instance of RateLimitItem",
    json.dumps([ENTRIES[0], ENTRIES[0]]): "2 entries have the name alice",
    json.dumps([ENTRIES[0], ENTRIES[0] | {"name": "bob"}]): "2 entries have the sha256",
}


@pytest.mark.parametrize(("text", "reason"), BAD_FILES.items(), ids=list(BAD_FILES.values()))
def test_a_bad_file_is_refused_with_the_reason_and_not_quoted(path: Path, text: str, reason: str) -> None:
    path.write_text(text, "utf-8")
    with pytest.raises(BadKeysFile) as caught:
        ApiKeys(path)
    assert f"API_KEYS_FILE={path}: " in str(caught.value)
    assert reason in str(caught.value)
    assert ALICE not in str(caught.value)


@pytest.mark.slow
async def test_a_bad_file_at_start_stops_the_proxy_with_a_sentence(tmp_path: Path) -> None:
    environment = {"API_KEYS_FILE": str(tmp_path / "none.json"), "REDIS_URL": "redis://127.0.0.1:1", "PORT": "0"}
    with Process([PYTHON, "-m", "proxy"], environment, tmp_path / "proxy") as process:
        await wait_until(lambda: not process.is_running)
        assert process.logged("No such file or directory") == 1
        assert not process.logged("Traceback")


def rename_over(path: Path, text: str) -> None:
    other = path.with_suffix(".new")
    other.write_text(text, "utf-8")
    other.rename(path)


def write_in_place(path: Path, text: str) -> None:
    path.write_text(text, "utf-8")


@pytest.mark.parametrize("change", [rename_over, write_in_place])
async def test_a_changed_file_is_read_while_the_service_runs(
    path: Path, change: Callable[[Path, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api_keys, "CHECK_INTERVAL_S", 0.01)
    keys = ApiKeys(path)
    async with background_task(keys.keep_current()):
        change(path, json.dumps(ENTRIES[1:]))
        await wait_until(lambda: keys.find(ALICE) is None)
    assert keys.find(BOB)


def test_a_file_is_read_and_a_bad_one_logged_only_when_it_changes(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = ApiKeys(path)
    path.write_text("[", "utf-8")
    keys.reload_if_changed()
    monkeypatch.setattr(api_keys, "_read", lambda _: pytest.fail("read"))
    keys.reload_if_changed()


@pytest.mark.slow
async def test_a_file_that_becomes_bad_changes_nothing_and_is_logged(tmp_path: Path) -> None:
    path = write_keys(tmp_path / "keys.json")
    async with bare_proxy(tmp_path, API_KEYS_FILE=str(path)) as proxy:
        path.write_text("[", "utf-8")
        await wait_until(lambda: proxy.process.logged("api keys invalid", "Invalid JSON", "keys=3") == 1)
        authorization = f"authorization: Bearer {ALICE}\r\nconnection: close\r\n\r\n".encode()
        response = await proxy.exchange(b"GET /job/1 HTTP/1.1\r\nhost: x\r\n" + authorization)
        assert b"store-unavailable" in response
        path.write_text(json.dumps(ENTRIES[1:]), "utf-8")
        await wait_until(lambda: proxy.process.logged("api keys read", "keys=2") == 1)
        assert proxy.process.logged("api keys invalid") == 1


@pytest.mark.slow
async def test_the_proxy_warns_at_start_that_it_needs_no_keys(tmp_path: Path) -> None:
    async with bare_proxy(tmp_path, WORKERS="2", LOG_LEVEL="WARNING") as proxy:
        assert proxy.process.logged("api keys not required", "API_KEYS_FILE is not set") == 1


def test_a_new_key_is_printed_apart_from_its_entry(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    api_keys.main(["carol", "--role", "operator", "--max-queued", "3", "--rate", "5/second"])
    printed, key_line = capsys.readouterr()
    key = key_line.split()[-1]
    path = tmp_path / "keys.json"
    path.write_text(f"[{printed}]", "utf-8")
    carol = ApiKeys(path).find(key)
    assert carol
    assert (carol.name, carol.role, carol.max_queued, str(carol.rate)) == ("carol", "operator", 3, "5 per 1 second")
    assert key not in printed


@pytest.mark.parametrize(
    "arguments", [["a b"], ["a", "--role", "admin"], ["a", "--rate", "x"], ["a", "--max-queued", "0"]]
)
def test_the_command_refuses_what_the_file_could_not_contain(arguments: list[str]) -> None:
    with pytest.raises(SystemExit):
        api_keys.main(arguments)
