"""The command line, in TensorFlow's flag syntax: `--name=value`, and no other form.

Names and defaults are TensorFlow Serving's (model_servers/server.h), except those under "our own".
"""

import os
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from local_tf_serving.engine import ENGINES, PRECISIONS

USAGE_EXIT = 255  # TensorFlow Serving's main() returns -1
_INT32 = range(-(2**31), 2**31)
_LOG_LEVELS = ("debug", "info", "warning", "error")


def _flag(default: Any, text: str, check: Callable[[str], bool] = lambda _: True) -> Any:
    metadata = {"text": text, "check": check}
    if callable(default):
        return field(default_factory=default, metadata=metadata)
    return field(default=default, metadata=metadata)


def _four_per_cpu() -> int:
    """4 threads a schedulable CPU, TensorFlow Serving's default for both of its pools."""
    affinity = getattr(os, "sched_getaffinity", None)  # not on macOS
    return 4 * (len(affinity(0)) if affinity else os.cpu_count() or 1)


@dataclass(frozen=True, kw_only=True)
class Flags:
    port: int = _flag(8500, "gRPC port.")
    rest_api_port: int = _flag(0, "REST port; 0 turns REST off.")
    rest_api_num_threads: int = _flag(_four_per_cpu, "Predictions REST runs at once; more wait their turn.")
    rest_api_timeout_in_ms: int = _flag(30_000, "How long a REST prediction may take.")
    model_name: str = _flag("default", "The name requests ask for.")
    model_base_path: str = _flag("", "Absolute path of the directory that holds the numbered versions. Required.")
    file_system_poll_wait_seconds: int = _flag(1, "Between two looks at the base path; 0 looks once, less never.")
    max_num_load_retries: int = _flag(5, "Further tries at a version that doesn't load.")
    load_retry_interval_micros: int = _flag(60_000_000, "Between two tries at loading.")
    tensorflow_intra_op_parallelism: int = _flag(0, "Threads inside one op; 0 lets the engine choose.")
    tensorflow_inter_op_parallelism: int = _flag(0, "Ops run at once; 0 lets the engine choose.")
    grpc_max_threads: int = _flag(_four_per_cpu, "Predictions gRPC runs at once; more are refused.")
    # Our own.
    host: str = _flag("0.0.0.0", "Address both ports listen on.")  # noqa: S104 - TensorFlow Serving's only choice
    engine: str = _flag("auto", f"What computes: {', '.join(ENGINES)}.", ENGINES.__contains__)
    inference_precision: str = _flag(
        "auto", f"What OpenVINO computes in: {', '.join(PRECISIONS)}.", PRECISIONS.__contains__
    )
    log_level: str = _flag("info", f"One of {', '.join(_LOG_LEVELS)}.", _LOG_LEVELS.__contains__)


def usage(program: str) -> str:
    """A line a flag: its default, its type, what it does."""
    defaults = Flags()
    lines = [f"usage: {program}", "Flags:"]
    for flag in fields(Flags):
        default = getattr(defaults, flag.name)
        shown = f'"{default}"' if flag.type is str else default
        lines.append(f"\t{f'--{flag.name}={shown}':<42}\t{_type_name(flag.type)}\t{flag.metadata['text']}")
    return "\n".join(lines) + "\n"


def parse(argv: Sequence[str], program: str = "python -m local_tf_serving") -> Flags:
    """Read `argv` (without the program's name); the last of two equal flags wins.

    An unknown argument is named on standard error and otherwise ignored. `--help`, a value of the wrong type and a base
    path that can't be served print the usage and exit with 255.
    """
    values: dict[str, int | str] = {}
    unknown: list[str] = []
    complaints: list[str] = []
    types = {flag.name: flag for flag in fields(Flags)}
    for argument in argv:
        name, separator, text = argument.removeprefix("--").partition("=")
        if not argument.startswith("--") or not separator or name not in types:
            unknown.append(argument)
            continue
        value = _value(types[name].type, text)
        if value is None or not types[name].metadata["check"](text):
            complaints.append(f"Couldn't interpret value {text} for flag {name}.")
        else:
            values[name] = value
    flags = Flags(**values)  # type: ignore[arg-type] # each value was read as its field's own type
    wants_help = "--help" in unknown
    if not wants_help:
        sys.stderr.writelines(
            f"unknown argument: {argument} (ignored; --help lists the flags)\n" for argument in unknown
        )
        complaints.extend(_contradictions(flags))
    if wants_help or complaints:
        sys.stderr.write("".join(f"{complaint}\n" for complaint in complaints) + usage(program))
        raise SystemExit(USAGE_EXIT)
    return flags


def _contradictions(flags: Flags) -> list[str]:
    found = []
    if not flags.model_base_path:
        found.append("--model_base_path is required.")
    elif not os.path.isabs(flags.model_base_path):
        found.append(f"--model_base_path must be an absolute path, and {flags.model_base_path} is not.")
    if not 0 < flags.port < 65536:
        found.append("--port must be a port number.")
    if not 0 <= flags.rest_api_port < 65536 or flags.rest_api_port == flags.port:
        found.append("--rest_api_port must be a port number other than --port, or 0.")
    if flags.grpc_max_threads < 1 or flags.rest_api_num_threads < 1:
        found.append("--grpc_max_threads and --rest_api_num_threads must be at least 1.")
    return found


def _value(kind: Any, text: str) -> int | str | None:
    """The value, or None if `text` is no int32 where one is due."""
    if kind is str:
        return text
    if not re.fullmatch(r"[+-]?[0-9]+", text, re.ASCII) or int(text) not in _INT32:
        return None
    return int(text)


def _type_name(kind: Any) -> str:
    return "int32" if kind is int else "string"
