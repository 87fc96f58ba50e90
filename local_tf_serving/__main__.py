"""`python -m local_tf_serving`: flags, log, signals, engine, server, in that order."""

import gc
import os
import signal
import sys
from queue import SimpleQueue
from typing import Any, NoReturn

from structlog.typing import FilteringBoundLogger

import service_log
from local_tf_serving import ports
from local_tf_serving.engine import ENGINES, Options
from local_tf_serving.errors import CannotStart
from local_tf_serving.flags import Flags, parse


def main() -> NoReturn:
    flags = parse(sys.argv[1:])
    service_log.configure(f"tf-serving:{flags.model_name}", level=flags.log_level)
    status = _serve(flags, service_log.get_logger())
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(
        status
    )  # a load, or a request beyond its grace, can't be interrupted, and sys.exit would wait for its thread


def _serve(flags: Flags, log: FilteringBoundLogger) -> int:
    """The exit status, after everything has ended."""
    events: SimpleQueue[Any] = SimpleQueue()  # its `put`, unlike a lock or an Event, is safe in a signal handler
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda received, _: events.put(signal.Signals(received)))
    try:
        claimed = ports.claim(flags)
        engine = ENGINES[flags.engine](
            Options(
                flags.tensorflow_intra_op_parallelism, flags.tensorflow_inter_op_parallelism, flags.inference_precision
            )
        )
        from local_tf_serving.server import Server  # after the engine, which decides how `tensorflow` is imported

        server = Server(flags, engine, claimed, log=log, events=events)
        gc.freeze()  # 300,000 objects of imported modules need no look at each collection, with requests waiting
        server.run()
    except CannotStart as error:
        log.error("can't start", reason=str(error))
        return error.exit_status
    return 0


if __name__ == "__main__":
    main()
