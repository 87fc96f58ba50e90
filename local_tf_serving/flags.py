"""The command line, in TensorFlow's flag syntax: only `--name=value`.

Names and defaults are TensorFlow Serving's (model_servers/server.h); flags that only this server has come last.
"""

import os
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Final, get_args

import service_log
from local_tf_serving.engine import PRECISIONS
from local_tf_serving.engines import ENGINES

USAGE_EXIT_STATUS: Final = 255  # TensorFlow Serving's main() returns -1
INT32: Final = range(-(2**31), 2**31)
LOG_FORMATS: Final = get_args(service_log.Format)
LOG_LEVELS: Final = ("debug", "info", "warning", "error")


def _flag(default: Any, description: str, is_valid: Callable[[str], bool] = lambda _: True) -> Any:
    metadata = {"description": description, "is_valid": is_valid}
    if callable(default):
        return field(default_factory=default, metadata=metadata)
    return field(default=default, metadata=metadata)


def _four_per_cpu() -> int:
    """TensorFlow Serving's default for both of its thread pools."""
    affinity = getattr(os, "sched_getaffinity", None)  # not on macOS
    return 4 * (len(affinity(0)) if affinity else os.cpu_count() or 1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Flags:
    port: int = _flag(8500, "gRPC port.")
    rest_api_port: int = _flag(0, "REST port; 0 turns REST off.")
    rest_api_num_threads: int = _flag(_four_per_cpu, "Maximum concurrent REST predictions; further ones wait.")
    rest_api_timeout_in_ms: int = _flag(30_000, "Timeout of a REST prediction.")
    model_name: str = _flag("default", "Name of the model in requests.")
    model_base_path: str = _flag("", "Absolute path of the directory that holds the numbered versions. Required.")
    file_system_poll_wait_seconds: int = _flag(1, "Time between polls of the base path; 0: poll once; less: never.")
    max_num_load_retries: int = _flag(5, "Retries after a version failed to load.")
    load_retry_interval_micros: int = _flag(60_000_000, "Time between attempts to load a version.")
    tensorflow_intra_op_parallelism: int = _flag(0, "Threads within one op; 0 lets the engine choose.")
    tensorflow_inter_op_parallelism: int = _flag(0, "Ops run in parallel; 0 lets the engine choose.")
    grpc_max_threads: int = _flag(_four_per_cpu, "Maximum concurrent gRPC predictions; further ones are refused.")
    # This server's own:
    host: str = _flag("0.0.0.0", "Address that both ports listen on.")  # noqa: S104 (as TensorFlow Serving)
    engine: str = _flag("auto", f"Inference engine: {', '.join(ENGINES)}.", ENGINES.__contains__)
    inference_precision: str = _flag("auto", f"OpenVINO's: {', '.join(PRECISIONS)}.", PRECISIONS.__contains__)
    log_format: str = _flag(
        lambda: os.environ.get("LOG_FORMAT") or "logfmt",
        f"One of {', '.join(LOG_FORMATS)}. The variable LOG_FORMAT sets it too.",
        LOG_FORMATS.__contains__,
    )
    log_level: str = _flag("info", f"One of {', '.join(LOG_LEVELS)}.", LOG_LEVELS.__contains__)


def usage(program: str) -> str:
    """One line per flag: default, type, description."""
    defaults = Flags()
    lines = [f"usage: {program}", "Flags:"]
    for flag in fields(Flags):
        default = getattr(defaults, flag.name)
        text, kind = (f'"{default}"', "string") if flag.type is str else (default, "int32")
        lines.append(f"\t{f'--{flag.name}={text}':<42}\t{kind}\t{flag.metadata['description']}")
    return "\n".join(lines) + "\n"


def parse(args: Sequence[str], program: str = "python -m local_tf_serving") -> Flags:
    """Read the arguments (without the program's name). If a flag is repeated, its last value counts.

    An unknown argument is reported on standard error and otherwise ignored. `--help` and invalid values print the usage
    and exit with 255.
    """
    values: dict[str, int | str] = {}
    unknown: list[str] = []
    problems: list[str] = []
    known = {flag.name: flag for flag in fields(Flags)}
    for arg in args:
        name, separator, text = arg.removeprefix("--").partition("=")
        if not arg.startswith("--") or not separator or name not in known:
            unknown.append(arg)
            continue
        value = _value(known[name].type, text)
        if value is None or not known[name].metadata["is_valid"](text):
            problems.append(f"Couldn't interpret value {text} for flag {name}.")
        else:
            values[name] = value
    flags = Flags(**values)  # type: ignore[arg-type] # each value has the type of its field
    wants_help = "--help" in unknown
    if not wants_help:
        sys.stderr.writelines(f"unknown argument: {arg} (ignored; --help lists the flags)\n" for arg in unknown)
        problems.extend(_problems(flags))
    if wants_help or problems:
        sys.stderr.write("".join(f"{problem}\n" for problem in problems) + usage(program))
        raise SystemExit(USAGE_EXIT_STATUS)
    return flags


def _problems(flags: Flags) -> list[str]:
    problems = []
    if not flags.model_base_path:
        problems.append("--model_base_path is required.")
    elif not os.path.isabs(flags.model_base_path):
        problems.append(f"--model_base_path must be an absolute path, not {flags.model_base_path}.")
    if not 0 < flags.port < 65536:
        problems.append("--port must be between 1 and 65535.")
    if not 0 <= flags.rest_api_port < 65536 or flags.rest_api_port == flags.port:
        problems.append("--rest_api_port must be between 0 and 65535 and differ from --port.")
    if flags.grpc_max_threads < 1 or flags.rest_api_num_threads < 1:
        problems.append("--grpc_max_threads and --rest_api_num_threads must be at least 1.")
    return problems


def _value(kind: Any, text: str) -> int | str | None:
    """None if the flag is an int32 and `text` is not."""
    if kind is str:
        return text
    if not re.fullmatch(r"[+-]?[0-9]+", text, re.ASCII) or int(text) not in INT32:
        return None
    return int(text)
