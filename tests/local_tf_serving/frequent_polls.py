"""Runs the model server with a poll of its base path every 50 ms; the flag takes whole seconds."""

from collections.abc import Sequence
from dataclasses import replace

from local_tf_serving import __main__ as entry_point
from local_tf_serving.flags import Flags, parse


def parse_with_frequent_polls(args: Sequence[str]) -> Flags:
    return replace(parse(args), file_system_poll_wait_seconds=0.05)  # type: ignore[arg-type] # a float


if __name__ == "__main__":
    entry_point.parse = parse_with_frequent_polls  # type: ignore[assignment, attr-defined] # an import of it
    entry_point.main()
