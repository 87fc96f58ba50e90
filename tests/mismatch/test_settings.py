"""The service is started with settings that do not fit its models: it says so, and all waiting jobs survive."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import pytest

from harness.process import ROOT, free_port
from tests.mismatch.breakable import Breakable

pytestmark = pytest.mark.timeout(240)
Wrong = Callable[[Breakable], Mapping[str, str]]
"""Returns the wrong settings."""


def both(name: str, value: str) -> Mapping[str, str]:
    return {f"FAST_{name}": value, f"ACCURATE_{name}": value}


ROWS: Final[Mapping[str, tuple[Wrong, str, str]]] = {
    "address": (lambda _: both("MODEL_ADDRESS", f"127.0.0.1:{free_port()}"), "model-unavailable", "UNAVAILABLE"),
    "another server": (
        lambda it: {
            "FAST_MODEL_ADDRESS": it.stack.accurate_address,
            "ACCURATE_MODEL_ADDRESS": it.stack.fast_address,
        },
        "model-mismatch",
        "the server has no model named",
    ),
    "name": (lambda _: both("MODEL", "resnet"), "model-mismatch", "the server has no model named 'resnet'"),
    "signature": (
        lambda _: both("SIGNATURE", "classify"),
        "model-mismatch",
        "has no signature 'classify', only serving_default",
    ),
    "labels": (
        lambda it: {"LABELS": str(ten_labels(it.stack.directory))},
        "model-mismatch",
        "returns 1001 scores, and there are 10 labels",
    ),
    "input": (
        lambda _: {"TEST_INPUT": str(ROOT / "LICENSE")},
        "model-mismatch",
        "fails on a known-good input (INVALID_ARGUMENT)",
    ),
}


def ten_labels(directory: Path) -> Path:
    path = directory / "ten.json"
    path.write_text('["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]')
    return path


@pytest.mark.parametrize(("wrong", "slug", "cause"), ROWS.values(), ids=ROWS.keys())
async def test_wrong_settings_are_named_at_start_and_cost_no_job(
    breakable: Breakable, wrong: Wrong, slug: str, cause: str
) -> None:
    settings = wrong(breakable)
    right = {name: breakable.stack.settings.get(name, "") for name in settings}
    event = slug.replace("-", " ")
    counts = breakable.log_counts(event, cause)
    try:
        await breakable.restart(**settings)
        job_ids = await breakable.submit()
        response = await breakable.post()
        assert (response.status_code, response.json()["type"]) == (503, f"urn:sync-async:problem:{slug}")
        assert "127.0.0.1" not in response.text
        await breakable.wait_for_log(event, cause, counts)
    finally:
        await breakable.restart(**right)
    await breakable.assert_all_succeed(job_ids)
    await breakable.wait_until_answered()
