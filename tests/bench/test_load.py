import pytest

from bench.direct import report
from bench.load import Load, LoadFailed, percentile


def test_the_report_is_the_last_line_of_the_output_of_wrk() -> None:
    output = """Running 1s test @ http://127.0.0.1:8000/predict
  1 threads and 16 connections
Requests/sec:    500.00

{"requests":1000,"duration":2000000,"failed":0,"p50":1500,"p90":2500,"p99":9000,"max":12345}
"""
    load = Load.from_report(output)
    assert load == Load(requests=1000, seconds=2.0, p50_ms=1.5, p90_ms=2.5, p99_ms=9.0, max_ms=12.345)
    assert load.per_second == 500


@pytest.mark.parametrize(
    "output",
    [
        "unable to connect to 127.0.0.1:8000 Connection refused",
        '{"requests":9,"duration":1000000,"failed":1,"p50":1,"p90":1,"p99":1,"max":1}',
        '{"requests":0,"duration":1000000,"failed":0,"p50":1,"p90":1,"p99":1,"max":1}',
    ],
)
def test_a_run_with_failed_requests_or_without_requests_is_rejected(output: str) -> None:
    with pytest.raises(LoadFailed):
        Load.from_report(output)


def test_a_percentile_is_one_of_the_measured_values() -> None:
    values = [float(value) for value in range(100, 0, -1)]
    assert [percentile(values, percent) for percent in (50, 99, 100)] == [50, 99, 100]
    assert percentile([7.0], 50) == 7


def test_direct_calls_are_counted_from_the_first_response_on() -> None:
    """Two calls in flight, with a batch of eight each, and a response every half second."""
    calls = [(0.0, 1.0), (0.0, 1.5), (1.0, 2.0), (1.5, 2.5)]
    reported = report(calls, batch=8)
    assert (reported["requests"], reported["duration"]) == (24, 1.5e6)
    assert (reported["p50"], reported["max"]) == (1.0e6, 1.5e6)
