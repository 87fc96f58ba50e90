"""The server: a manager thread loads versions, two servers handle requests, the main thread waits for a signal."""

import signal
import threading
from datetime import timedelta
from pathlib import Path
from queue import SimpleQueue
from typing import Final

import service_log
from local_tf_serving import ports, warmup
from local_tf_serving.data_plane import DataPlane
from local_tf_serving.engine import Engine
from local_tf_serving.errors import CannotStart
from local_tf_serving.flags import Flags
from local_tf_serving.grpc_api import GrpcApi
from local_tf_serving.manager import Manager, PollPolicy
from local_tf_serving.predictor import Predictor
from local_tf_serving.rest_api import RestApi
from local_tf_serving.rest_server import RestServer
from local_tf_serving.servables import State, Version

DRAIN_TIMEOUT: Final = timedelta(seconds=10)
LOAD_FAILED_EXIT_STATUS: Final = 255  # as TensorFlow Serving's main()

Event = signal.Signals | Version
"""What wakes the main thread: a signal to stop, or a version that was loaded or failed to load."""


class Server:
    def __init__(self, flags: Flags, engine: Engine, sockets: ports.BoundSockets, events: "SimpleQueue[Event]") -> None:
        """The caller's signal handlers put signals into `events`."""
        self._flags = flags
        self._engine = engine
        self._sockets = sockets
        self._events = events
        self._manager = Manager(
            flags.model_name,
            Path(flags.model_base_path),
            self._load,
            on_load_result=events.put,
            policy=PollPolicy(
                interval=timedelta(seconds=flags.file_system_poll_wait_seconds),
                max_load_retries=flags.max_num_load_retries,
                load_retry_interval=timedelta(microseconds=flags.load_retry_interval_micros),
            ),
        )
        data_plane = DataPlane(self._manager.servables)
        self._grpc = GrpcApi(data_plane, flags.grpc_max_threads)
        self._rest: RestServer | None = None
        if sockets.rest:
            timeout = timedelta(milliseconds=flags.rest_api_timeout_in_ms)
            app = RestApi(data_plane, flags.rest_api_num_threads, timeout)
            self._rest = RestServer(app, sockets.rest, DRAIN_TIMEOUT)

    def run(self) -> None:
        """Serve until a signal arrives. Raises CannotStart."""
        threading.Thread(target=self._manager.run, name="manager", daemon=True).start()
        try:
            if self._wait_for_first_version():
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
                service_log.get_logger().info("version warmed up", path=str(directory), records=records)
        except BaseException:
            predictor.close()
            raise
        return predictor

    def _wait_for_first_version(self) -> bool:
        """Return False if a signal arrives first. Waits forever while the base path has no version."""
        event = self._events.get()
        if isinstance(event, signal.Signals):
            return False
        if event.state is State.AVAILABLE:
            return True
        reason = f"version {event.number} did not become available: {event.error}"
        raise CannotStart(f"Failed to start server. {reason}", LOAD_FAILED_EXIT_STATUS)

    def _open_ports(self) -> None:
        host, port, rest_port = self._flags.host, self._flags.port, self._flags.rest_api_port
        self._sockets.grpc.close()
        try:
            self._grpc.start(ports.address(host, port))
        except RuntimeError as error:
            raise ports.unavailable(host, port, "--port", error) from error
        service_log.get_logger().info("gRPC listening", address=ports.address(host, port))
        if self._rest:
            try:
                self._rest.start()
            except OSError as error:
                raise ports.unavailable(host, rest_port, "--rest_api_port", error) from error
            service_log.get_logger().info("REST listening", address=ports.address(host, rest_port))

    def _drain(self) -> None:
        seconds = DRAIN_TIMEOUT.total_seconds()
        service_log.get_logger().info("server draining", seconds=round(seconds))
        grpc_drained = self._grpc.drain(DRAIN_TIMEOUT)
        if self._rest:
            self._rest.drain()
        grpc_drained.wait(seconds + 1)
        service_log.get_logger().info("server stopped")
