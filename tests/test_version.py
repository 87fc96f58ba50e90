"""The version number is defined in pyproject.toml; everything else reads it from there."""

import os
import re
import subprocess
from pathlib import Path
from typing import Final

from harness.process import ROOT
from proxy.app import create_app
from proxy.settings import Settings
from service_settings import project_version

VERSION: Final = project_version()
SUFFIXES: Final = {"", ".lua", ".md", ".py", ".toml", ".yml", ".proxy", ".backend"}
NOT_OURS: Final = {"var", "requirements", "CHANGELOG.md"}


def sources() -> list[Path]:
    top = [path for path in ROOT.iterdir() if path.name not in NOT_OURS and not path.name.startswith(".")]
    files = [*(file for path in top for file in (path, *path.rglob("*"))), ROOT / ".ci" / "run"]
    return [file for file in files if file.is_file() and file.suffix in SUFFIXES]


def test_no_other_file_contains_the_version() -> None:
    version = re.compile(rf"(?<![\d.]){re.escape(VERSION)}(?![\d.])".encode())
    assert [file.name for file in sources() if version.search(file.read_bytes())] == ["pyproject.toml"]


def test_make_tags_the_images_with_the_version() -> None:
    environment = {name: value for name, value in os.environ.items() if name != "IMAGE_VERSION"}
    command = ["make", "-n", "build_proxy", "DOCKER=true"]
    build = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True).stdout
    assert f"--build-arg IMAGE_VERSION={VERSION} " in build
    assert f"_sync_async_proxy_{VERSION} " in build


def test_the_openapi_document_has_the_version() -> None:
    assert create_app(Settings()).openapi()["info"]["version"] == VERSION
