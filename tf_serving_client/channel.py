"""The gRPC channel to the replicas of a model. A process has one for each model."""

import json
from typing import Final

import grpc.aio

SERVICE_CONFIG: Final[dict[str, object]] = {"loadBalancingConfig": [{"round_robin": {}}]}
"""Balances the calls over all addresses that the name resolves to. gRPC's default uses only the first."""

OPTIONS: Final[tuple[tuple[str, int | str], ...]] = (
    ("grpc.service_config", json.dumps(SERVICE_CONFIG)),
    # No limit: gRPC's 4 MiB cannot hold the scores of a large batch. The server's is 2 GiB (tensorflow/serving#1382).
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    # Reconnect to a restarted server within a second. gRPC's default backs off for up to two minutes.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    # Find a new replica within five seconds. The default is thirty.
    ("grpc.dns_min_time_between_resolutions_ms", 5_000),
    # Both models may be on one server: their channels then still have a connection each.
    ("grpc.use_local_subchannel_pool", 1),
    # Connect directly, even if the environment sets an HTTP proxy.
    ("grpc.enable_http_proxy", 0),
)


def open_channel(address: str) -> grpc.aio.Channel:
    """Create a channel to `host:port`, on the event loop that will use it. It connects at the first call."""
    target = address if "://" in address or address.startswith("unix:") else f"dns:///{address}"
    return grpc.aio.insecure_channel(target, options=OPTIONS)
