"""Runs the HTTP server in this process, or in several that share one listening socket.

uvicorn's own supervisor keeps the socket open until its processes have ended. Until then, the operating system accepts
connections that are reset in the end. And its processes go on serving when the supervisor is killed.
"""

import asyncio
import ctypes
import gc
import multiprocessing
import signal
import socket
import struct
import sys
from collections.abc import Iterator
from contextlib import suppress
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess
from typing import Final

import uvicorn
from uvicorn.config import STARTUP_FAILURE

import service_log
from proxy.http_limits import LISTENERS_KEY
from proxy.settings import Settings

SO_ATTACH_FILTER: Final = 26
"""From <asm-generic/socket.h>."""
DROP_SYN: Final = ((0x30, 0, 0, 13), (0x45, 0, 1, 0x02), (0x06, 0, 0, 0), (0x06, 0, 0, 0xFFFFFFFF))
"""Classic BPF: load byte 13 of the TCP header; if the SYN flag is set, drop the packet, else keep it."""
HANDSHAKE_S: Final = 0.1
"""How long the last connections may take to be established: longer than the round trip to most clients."""
RESTART_INTERVAL_S: Final = 1.0


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT."""
    listener = _config(settings).bind_socket()
    if settings.workers == 1:
        _serve(listener, settings)
    else:
        _Supervisor(listener, settings).run()


def _config(settings: Settings) -> uvicorn.Config:
    return uvicorn.Config(
        "proxy.__main__:app_from_environment",
        factory=True,
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http="proxy.http_protocol:BoundedHttpProtocol",
        ws="none",
        log_config=None,  # keeps service_log's configuration
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=bool(settings.forwarded_allow_ips),
        forwarded_allow_ips=settings.forwarded_allow_ips,
        timeout_graceful_shutdown=10,
        reset_contextvars=True,  # or the log would name the client of the pipelined request before
    )


def _serve(listener: socket.socket, settings: Settings) -> None:
    server = DrainingServer(_config(settings))
    with suppress(KeyboardInterrupt):  # uvicorn raises the signal again when it has stopped
        server.run([listener])
    if not server.started:
        sys.exit(STARTUP_FAILURE)


class DrainingServer(uvicorn.Server):
    """Serves every connection that the operating system has accepted, and stops when its parent process ends."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.lifespan.state[LISTENERS_KEY] = sockets or []
        gc.collect()
        gc.freeze()  # a collection of everything that start-up has created would stop the event loop for 0.1 s
        parent = multiprocessing.parent_process()
        if parent is not None:
            loop = asyncio.get_running_loop()
            loop.add_reader(parent.sentinel, self._on_parent_end, loop, parent.sentinel)

    def _on_parent_end(self, loop: asyncio.AbstractEventLoop, sentinel: int) -> None:
        loop.remove_reader(sentinel)
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        listeners = sockets or []
        for listener in listeners:
            _refuse_connections(listener)
        await asyncio.sleep(HANDSHAKE_S)
        accepted = [connection for listener in listeners for connection in _accept_all(listener)]
        for server in self.servers:
            server.close()
        for connection in accepted:
            await asyncio.get_running_loop().connect_accepted_socket(self._protocol, connection)
        await super().shutdown(sockets)

    def _protocol(self) -> asyncio.Protocol:
        protocol: asyncio.Protocol = self.config.http_protocol_class(  # type: ignore[call-arg] # as in uvicorn
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        return protocol


def _refuse_connections(listener: socket.socket) -> None:
    """Ignore new connections. Clients try again after a second, and the socket is closed by then.

    Closing it at once would reset the connections that are established but not yet accepted.
    """
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *instruction) for instruction in DROP_SYN))
    with suppress(OSError):  # without Linux, a connection may be established just before the socket closes
        listener.setsockopt(
            socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HL", len(DROP_SYN), ctypes.addressof(code))
        )


def _accept_all(listener: socket.socket) -> Iterator[socket.socket]:
    with suppress(OSError):  # BlockingIOError: there are no more
        while True:
            connection, _ = listener.accept()
            connection.setblocking(False)
            yield connection


class _Supervisor:
    """Keeps `settings.workers` processes running.

    If one of the first cannot start, the server ends. One that replaces another is started again instead: what it reads
    may have become invalid, and the other processes still serve.
    """

    def __init__(self, listener: socket.socket, settings: Settings) -> None:
        self._listener = listener
        self._settings = settings
        self._processes: list[SpawnProcess] = []
        self._first_processes: frozenset[SpawnProcess] = frozenset()
        self._signals, self._wakeup = socket.socketpair()
        self._is_stopping = False
        self._exit_status = 0

    def run(self) -> None:
        self._wakeup.setblocking(False)
        signal.set_wakeup_fd(self._wakeup.fileno())
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: None)
        self._processes = [self._start() for _ in range(self._settings.workers)]
        self._first_processes = frozenset(self._processes)
        while self._processes:
            if self._signals in wait([self._signals, *(process.sentinel for process in self._processes)]):
                self._stop()
            for process in [process for process in self._processes if not process.is_alive()]:
                self._processes.remove(process)
                self._on_end(process)
        sys.exit(self._exit_status)

    def _start(self) -> SpawnProcess:
        process = multiprocessing.get_context("spawn").Process(target=_serve, args=(self._listener, self._settings))
        process.start()
        return process

    def _stop(self) -> None:
        """Stop the processes. The last of them that closes the socket must be the last that has it open."""
        self._is_stopping = True
        self._signals.recv(1)
        self._listener.close()
        for process in self._processes:
            process.terminate()

    def _on_end(self, process: SpawnProcess) -> None:
        if self._is_stopping:
            return
        if process.exitcode != STARTUP_FAILURE:
            service_log.get_logger().error("server process ended", exit_status=process.exitcode)
        elif process not in self._first_processes:
            service_log.get_logger().error("server process not started", retry_s=RESTART_INTERVAL_S)
        else:
            self._exit_status = STARTUP_FAILURE
            signal.raise_signal(signal.SIGTERM)
            return
        if not wait([self._signals], RESTART_INTERVAL_S):
            self._processes.append(self._start())
