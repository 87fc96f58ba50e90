"""The process: a manager thread that loads, two servers that answer, a main thread that waits to be told to stop."""

import signal
import threading
from pathlib import Path
from queue import SimpleQueue

from structlog.typing import FilteringBoundLogger

from local_tf_serving import ports, warmup
from local_tf_serving.data_plane import DataPlane
from local_tf_serving.engine import Engine
from local_tf_serving.errors import CannotStart
from local_tf_serving.flags import Flags
from local_tf_serving.grpc_api import GrpcApi
from local_tf_serving.manager import Manager, Pace
from local_tf_serving.predictor import Predictor
from local_tf_serving.rest_api import RestApi
from local_tf_serving.rest_server import RestServer
from local_tf_serving.servables import State, Version

DRAIN_SECONDS = 10
"""What requests under way get when the process is told to stop."""
_LOAD_FAILED_EXIT = 255  # as TensorFlow Serving's main() ends when its first load fails

Event = signal.Signals | Version
"""What the main thread waits for: the wish to stop, or what became of a version."""


class Server:
    def __init__(
        self,
        flags: Flags,
        engine: Engine,
        claimed: ports.Claimed,
        *,
        log: FilteringBoundLogger,
        events: "SimpleQueue[Event]",
    ) -> None:
        """`events` brings the signals, from whoever installed their handlers."""
        self._flags = flags
        self._engine = engine
        self._claimed = claimed
        self._log = log
        self._events = events
        self._manager = Manager(
            flags.model_name,
            Path(flags.model_base_path),
            self._load,
            log=log,
            on_outcome=events.put,
            pace=Pace(
                flags.file_system_poll_wait_seconds, flags.max_num_load_retries, flags.load_retry_interval_micros / 1e6
            ),
        )
        data_plane = DataPlane(self._manager.servables, log)
        self._grpc = GrpcApi(data_plane, flags.grpc_max_threads)
        self._rest: RestServer | None = None
        if claimed.rest:
            app = RestApi(data_plane, flags.rest_api_num_threads, flags.rest_api_timeout_in_ms / 1000)
            self._rest = RestServer(app, claimed.rest, DRAIN_SECONDS)

    def run(self) -> None:
        """Serve until a signal comes. Raises CannotStart."""
        threading.Thread(target=self._manager.run, name="manager", daemon=True).start()
        try:
            if self._version_became_available():
                self._open_ports()
                while not isinstance(self._events.get(), signal.Signals):
                    pass
                self._drain()
        finally:
            self._manager.stop()

    def _load(self, directory: Path) -> Predictor:
        predictor = Predictor(self._engine.load(directory))
        try:
            if records := warmup.replay(directory, predictor):
                self._log.info("warmed up", path=str(directory), records=records)
        except BaseException:
            predictor.close()
            raise
        return predictor

    def _version_became_available(self) -> bool:
        """Waits, without end if the base path stays empty. False if a signal came first."""
        event = self._events.get()
        if isinstance(event, signal.Signals):
            return False
        if event.state is State.AVAILABLE:
            return True
        reason = f"version {event.number} did not become available: {event.error}"
        raise CannotStart(f"Failed to start server. {reason}", _LOAD_FAILED_EXIT)

    def _open_ports(self) -> None:
        host, port, rest_port = self._flags.host, self._flags.port, self._flags.rest_api_port
        self._claimed.grpc.close()
        try:
            self._grpc.start(ports.address(host, port))
        except RuntimeError as error:
            raise ports.refusal(host, port, "--port", error) from error
        self._log.info("gRPC open", address=ports.address(host, port))
        if self._rest:
            try:
                self._rest.start()
            except OSError as error:
                raise ports.refusal(host, rest_port, "--rest_api_port", error) from error
            self._log.info("REST open", address=ports.address(host, rest_port))

    def _drain(self) -> None:
        self._log.info("draining", seconds=DRAIN_SECONDS)
        idle = self._grpc.drain(DRAIN_SECONDS)
        if self._rest:
            self._rest.drain()
        idle.wait(DRAIN_SECONDS + 1)
        self._log.info("stopped")
