"""Checks the README: runs its commands as printed, and compares its tables with the code."""

import json
import re
import shutil
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from backend.settings import Settings as BackendSettings
from deploy.local.settings import LocalSettings
from harness.models import has_trained_mobilenet
from harness.process import ROOT
from harness.stack import Stack
from harness.waiting import wait_until
from proxy.settings import Settings as ProxySettings
from service_settings import ServiceSettings

README = (ROOT / "README.md").read_text("utf-8")
TRANSCRIPTS = re.findall(r"```console\n(.*?)```", README, re.DOTALL)
COMMANDS = [
    tuple(part.split("\n", 1))
    for block in TRANSCRIPTS
    for part in re.findall(r"^\$ (.*?\n.*?)\n+(?=\$|\Z)", block, re.S | re.M)
]


def run(command: str, stack: Stack) -> dict[str, Any]:
    command = command.replace("localhost:8000", f"127.0.0.1:{stack.port}").replace("curl ", "curl -sS ")
    process = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, check=True, timeout=30)
    answer: dict[str, Any] = json.loads(process.stdout)
    return answer


async def check_job(command: str, expected: dict[str, dict[str, str]], stack: Stack) -> None:
    """Wait for the accurate model's label. Its value depends on the weights, which may be untrained."""
    [job_id] = expected

    def answered() -> bool:
        answer = run(command, stack)
        assert answer.keys() == expected.keys()
        assert answer[job_id].keys() == expected[job_id].keys()
        return bool(answer[job_id]["prediction"])

    await wait_until(answered)


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed: sudo apt-get install curl")
async def test_every_command_of_the_transcript_prints_what_the_readme_shows(stack: Stack) -> None:
    assert len(COMMANDS) == 9
    ids: dict[str, str] = {}
    for command, printed in COMMANDS:
        for shown, real in ids.items():
            command, printed = command.replace(shown, real), printed.replace(shown, real)
        expected = json.loads(printed)
        if "/job/" in command:
            await check_job(command, expected, stack)
            continue
        answer = run(command, stack)
        if "job_id" in answer:
            ids[expected["job_id"]] = answer["job_id"]
            assert re.fullmatch("[0-9a-f]{24}", answer["job_id"])
            expected["job_id"] = answer["job_id"]
            if not has_trained_mobilenet():
                expected["mobilenet_v2"] = answer["mobilenet_v2"]
        assert answer == expected
        assert list(answer) == list(expected)


READ_BY: dict[str, list[type[ServiceSettings]]] = {
    "make run": [LocalSettings],
    "proxy": [ProxySettings],
    "worker": [BackendSettings],
    "both": [ProxySettings, BackendSettings],
}
READ_BY_THE_EXPORT = {"IMAGENET_WEIGHTS_DIR"}


def settings_table() -> dict[tuple[str, str], str]:
    """Map the reader and the name of each variable to the default in the table."""
    printed: dict[tuple[str, str], str] = {}
    reader = ""
    for row in re.findall(r"^\| (.*) \|$", README.partition("## Settings")[2].partition("\n## ")[0], re.M)[1:]:
        named, variables, default, _ = (cell.strip() for cell in row.split("|"))
        reader = named.strip("`") or reader
        names = re.findall(r"`(\w+)`", variables)
        defaults = default.split(", ") if default else [""]
        printed |= zip(((reader, name) for name in names), defaults * (len(names) // len(defaults)), strict=True)
    return printed


SETTINGS_TABLE = settings_table()


def as_printed(default: object) -> str:
    match default:
        case None | "":
            return ""
        case bool():
            return "yes" if default else "no"
        case timedelta():
            return f"{default.total_seconds():g}"
        case Path():
            return f"`{default.relative_to(ROOT)}`"
    return str(default)


@pytest.mark.parametrize("settings", [LocalSettings, ProxySettings, BackendSettings])
def test_the_table_of_settings_has_every_variable_and_no_other(settings: type[ServiceSettings]) -> None:
    variables = {name.upper() for name in settings.model_fields}
    assert variables - {name for _, name in SETTINGS_TABLE} == set()
    own = {name for reader, name in SETTINGS_TABLE if READ_BY[reader] == [settings]}
    assert own - variables - READ_BY_THE_EXPORT == set()


@pytest.mark.parametrize(("reader", "variable"), [row for row in SETTINGS_TABLE if row[1] not in READ_BY_THE_EXPORT])
def test_the_table_of_settings_has_the_defaults_of_the_code(reader: str, variable: str) -> None:
    printed = SETTINGS_TABLE[reader, variable]
    for settings in READ_BY[reader]:
        default = as_printed(settings.model_fields[variable.lower()].default)
        another = re.fullmatch(r"(\S+) \(worker: (\S+)\)", printed)
        assert default == (another[1 if settings is ProxySettings else 2] if another else printed)


def test_every_folder_with_code_is_in_the_table_of_folders() -> None:
    packages = {path.parent.relative_to(ROOT).parts[0] for path in ROOT.glob("*/__init__.py")} - {"tests", "deploy"}
    assert {package for package in packages if f"`{package}/`" not in README} == set()


def test_make_help_lists_every_target_that_the_readme_mentions() -> None:
    listed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for target in set(re.findall(r"`?make (\w+)`?", README)) - {"run", "and"}:
        assert f"make {target} " in listed, target
