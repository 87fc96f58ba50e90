"""The connection to a model's replicas: one channel a process and model."""

import json
from typing import Final

import grpc.aio

SERVICE_CONFIG: Final[dict[str, object]] = {"loadBalancingConfig": [{"round_robin": {}}]}
"""Share the calls among all addresses the name resolves to. gRPC's default sends them all to the first."""

OPTIONS: Final[tuple[tuple[str, int | str], ...]] = (
    ("grpc.service_config", json.dumps(SERVICE_CONFIG)),
    # 4 MiB would refuse the scores of a large batch; the server's own limit is 2 GiB (tensorflow/serving#1382).
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    # A server that is back is found again within a second; gRPC's default backs off for up to two minutes.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    # A replica that was added is found within five seconds; the default is thirty.
    ("grpc.dns_min_time_between_resolutions_ms", 5_000),
    # One process may hold channels to servers that answer for each other: never share their connections.
    ("grpc.use_local_subchannel_pool", 1),
    # Models are asked directly, whatever proxy the environment names for the outside world.
    ("grpc.enable_http_proxy", 0),
)


def open_channel(address: str) -> grpc.aio.Channel:
    """Make a channel to `host:port`. Call it on the loop that will use it; it connects when first asked."""
    target = address if "://" in address or address.startswith("unix:") else f"dns:///{address}"
    return grpc.aio.insecure_channel(target, options=OPTIONS)
