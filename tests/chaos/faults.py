from collections.abc import Sequence
from datetime import timedelta

from tests.chaos import clock_faults, model_faults, poison_faults, store_faults, worker_faults
from tests.chaos.fault import Fault


def all_faults(outage: timedelta) -> Sequence[Fault]:
    """`outage`: how long Redis is unreachable."""
    return [
        *worker_faults.FAULTS,
        *clock_faults.FAULTS,
        *model_faults.FAULTS,
        *poison_faults.FAULTS,
        *store_faults.faults(outage),
    ]
