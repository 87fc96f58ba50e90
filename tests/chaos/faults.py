"""All faults there are."""

from collections.abc import Sequence
from datetime import timedelta

from tests.chaos import clock_faults, model_faults, poison_faults, store_faults, worker_faults
from tests.chaos.fault import Fault


def all_faults(outage: timedelta) -> Sequence[Fault]:
    """`outage`: for how long Redis is out of reach."""
    own = [*worker_faults.FAULTS, *clock_faults.FAULTS, *model_faults.FAULTS, *poison_faults.FAULTS]
    return [*own, *store_faults.faults(outage)]
