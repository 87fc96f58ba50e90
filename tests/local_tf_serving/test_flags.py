from dataclasses import asdict
from typing import Final

import pytest

from local_tf_serving.flags import Flags, parse

BASE: Final = "--model_base_path=/models/m"


def test_the_defaults_are_tensorflow_servings() -> None:
    flags = parse([BASE])
    assert (flags.port, flags.rest_api_port, flags.model_name) == (8500, 0, "default")
    assert flags.file_system_poll_wait_seconds == 1
    assert (flags.max_num_load_retries, flags.load_retry_interval_micros) == (5, 60_000_000)
    assert flags.rest_api_timeout_in_ms == 30_000
    assert flags.grpc_max_threads == flags.rest_api_num_threads
    assert flags.grpc_max_threads % 4 == 0
    assert (flags.host, flags.engine) == ("0.0.0.0", "auto")


def test_the_last_value_of_a_repeated_flag_counts() -> None:
    assert parse([BASE, "--port=1", "--port=2"]).port == 2


def test_a_string_may_contain_an_equals_sign_or_be_empty() -> None:
    assert parse([BASE, "--model_name=a=b"]).model_name == "a=b"
    assert parse([BASE, "--model_name="]).model_name == ""


@pytest.mark.parametrize("argument", ["--enable_batching", "--unknown=1", "--port", "-port=1", "port=1", "--", "x"])
def test_an_unknown_argument_is_reported_and_ignored(argument: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert parse([BASE, argument, "--port=9000"]) == parse([BASE, "--port=9000"])
    assert capsys.readouterr().err.startswith(f"unknown argument: {argument} ")


@pytest.mark.parametrize("value", ["", "x", "1x", "1.5", "2147483648", "1_000", "\N{DEVANAGARI DIGIT ONE}"])
def test_a_value_that_is_not_an_int32_prints_the_usage_and_exits_with_255(
    value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        parse([BASE, f"--grpc_max_threads={value}"])
    assert caught.value.code == 255
    printed = capsys.readouterr().err
    assert printed.startswith(f"Couldn't interpret value {value} for flag grpc_max_threads.\nusage: ")


@pytest.mark.parametrize(
    "args",
    [
        ["--help"],
        [],
        ["--model_base_path=relative"],
        [BASE, "--port=0"],
        [BASE, "--port=65536"],
        [BASE, "--rest_api_port=8500"],
        [BASE, "--rest_api_port=-1"],
        [BASE, "--grpc_max_threads=0"],
        [BASE, "--engine=none"],
        [BASE, "--log_level=loud"],
    ],
)
def test_help_and_invalid_arguments_print_the_usage_and_exit_with_255(
    args: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        parse(args)
    assert caught.value.code == 255
    assert "--model_base_path=" in capsys.readouterr().err


def test_the_usage_lists_every_flag_with_its_default(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(["--help"])
    printed = capsys.readouterr().err
    for name, default in asdict(Flags()).items():
        assert f"--{name}={default}" in printed.replace('"', "")
