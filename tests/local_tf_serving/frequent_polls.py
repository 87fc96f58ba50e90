"""The model server with a poll of its base path every 50 ms. The flag takes whole seconds, which tests would wait."""

from dataclasses import replace

from local_tf_serving import __main__ as entry_point
from local_tf_serving.flags import parse

POLL_INTERVAL_S = 0.05

if __name__ == "__main__":
    entry_point.parse = lambda args: replace(parse(args), file_system_poll_wait_seconds=POLL_INTERVAL_S)  # type: ignore
    entry_point.main()
