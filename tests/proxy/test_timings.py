"""The durations in the `Server-Timing` header and in the log."""

import pytest

from proxy.timings import Timings


def test_each_step_lasts_from_the_end_of_the_step_before(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([10.0, 10.25, 10.2525])
    monkeypatch.setattr("proxy.timings.time.perf_counter", lambda: next(clock))
    timings = Timings()
    timings.record("predict")
    timings.record("queue")
    assert timings.server_timing("mobilenet_v2") == "mobilenet_v2;dur=250.0, queue;dur=2.5"
    assert timings.log_fields() == {"predict_ms": 250.0, "queue_ms": 2.5}
