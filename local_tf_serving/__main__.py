"""Entry point of `python -m local_tf_serving`."""

import gc
import os
import signal
import sys
from queue import SimpleQueue
from typing import Any, NoReturn, cast

import service_log
from local_tf_serving import ports
from local_tf_serving.engine import EngineOptions
from local_tf_serving.engines import ENGINES
from local_tf_serving.errors import CannotStart
from local_tf_serving.flags import Flags, parse


def main() -> NoReturn:
    flags = parse(sys.argv[1:])
    service_log.configure(
        f"tf-serving:{flags.model_name}", level=flags.log_level, fmt=cast(service_log.Format, flags.log_format)
    )
    exit_status = _serve(flags)
    sys.stdout.flush()
    sys.stderr.flush()
    # sys.exit would wait for threads that cannot be interrupted: a load, or a request that outlasted the drain.
    os._exit(exit_status)


def _serve(flags: Flags) -> int:
    """Serve until a signal arrives, and return the exit status."""
    events: SimpleQueue[Any] = SimpleQueue()  # its `put` is safe in a signal handler; an Event's `set` is not
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda received, _: events.put(signal.Signals(received)))
    try:
        sockets = ports.bind(flags)
        engine = ENGINES[flags.engine](
            EngineOptions(
                flags.tensorflow_intra_op_parallelism, flags.tensorflow_inter_op_parallelism, flags.inference_precision
            )
        )
        from local_tf_serving.server import Server  # after the engine, which decides how `tensorflow` is imported

        server = Server(flags, engine, sockets, events)
        gc.freeze()  # excludes the 300,000 objects of imported modules from every collection
        server.run()
    except CannotStart as error:
        service_log.get_logger().error("cannot start", reason=str(error))
        return error.exit_status
    return 0


if __name__ == "__main__":
    main()
