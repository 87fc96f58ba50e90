"""What counts as harm."""

from collections import Counter
from dataclasses import replace
from typing import Final

import pytest

from tests.attack.attack import Attack
from tests.attack.attacks import ALL
from tests.attack.campaign import AttackResult, Share
from tests.attack.normal_clients import HEALTH, PHOTOGRAPH, RATES, SMALL, Observation, Observations, Outcome
from tests.attack.table import HEADER, row

CALM: Final = Observation(Counter({Outcome.ANSWERED: 20}), [0.01] * 20)
SLOW: Final = Observation(Counter({Outcome.ANSWERED: 20}), [0.2] * 20)
REFUSED: Final = Observation(Counter({Outcome.ANSWERED: 10, Outcome.REFUSED: 10}), [0.01] * 20)
SHED: Final = Observation(Counter({Outcome.ANSWERED: 10, Outcome.SHED: 10}), [0.01] * 20)
LOST: Final = Observation(Counter({Outcome.ANSWERED: 19, Outcome.UNANSWERED: 1}), [0.01] * 20)
WRONG: Final = Observation(Counter({Outcome.ANSWERED: 19, Outcome.WRONG: 1}), [0.01] * 20, Counter({504: 1}))
STALLED: Final = Observation(Counter({Outcome.ANSWERED: 20}), [0.01] * 19 + [20.0])


def observations(**changed: Observation) -> Observations:
    return {kind: changed.get(kind, CALM) for kind in RATES}


RESULT: Final = AttackResult(
    attack=Attack("attack", lambda: pytest.fail("is not run")),
    duration_s=2.0,
    share=Share(0.5, 0.5),
    attacked=observations(),
    responses={"431": 3},
    peaks_mb={"proxy": 100.0, "fast model": 200.0},
    limits_mb={"proxy": 1000, "fast model": 1000},
    ended=[],
    harmless=observations(),
)


def violations(result: AttackResult) -> list[str]:
    return [*result.violations(), *result.delays()]


def test_an_attack_beside_which_clients_are_served_as_usual_does_no_harm() -> None:
    assert violations(RESULT) == []


def test_a_process_that_ends_is_harm() -> None:
    assert violations(replace(RESULT, ended=["proxy"])) == ["the proxy has ended"]


def test_memory_beyond_the_limit_is_harm() -> None:
    peaks = {"proxy": 1001.0, "fast model": 200.0}
    assert violations(replace(RESULT, peaks_mb=peaks)) == ["the proxy took 1001 MB (limit: 1000 MB)"]


@pytest.mark.parametrize(
    ("kind", "observation", "violation"),
    [
        (SMALL, WRONG, "small: statuses {504: 1}"),
        (HEALTH, LOST, "health: 1 of 20 got no response"),
        (HEALTH, SLOW, "health: p95 200 ms (harmless load: 10 ms)"),
        (PHOTOGRAPH, SLOW, "small, photograph: p95 200 ms (harmless load: 10 ms)"),
        (PHOTOGRAPH, REFUSED, "photograph: 50% 503 with Retry-After"),
        (SMALL, SHED, "small: 50% answered, without a job"),
    ],
)
def test_what_a_harmless_load_does_not_do_is_harm(kind: str, observation: Observation, violation: str) -> None:
    attacked = observations(**{kind: observation})
    assert violations(replace(RESULT, attacked=attacked)) == [violation]


@pytest.mark.parametrize("observation", [SLOW, REFUSED, SHED])
def test_what_a_harmless_load_does_too_is_no_harm(observation: Observation) -> None:
    both = observations(**dict.fromkeys(RATES, observation))
    assert violations(replace(RESULT, attacked=both, harmless=both)) == []


def test_a_request_that_takes_very_long_is_harm_without_a_comparison() -> None:
    result = replace(RESULT, attacked=observations(health=STALLED), harmless=None)
    assert violations(result) == ["health: one took 20 s"]


@pytest.mark.parametrize(
    ("observation", "violation"),
    [(REFUSED, "photograph: 50% 503 with Retry-After"), (SHED, "photograph: 50% answered, without a job")],
)
def test_a_cheap_attack_may_not_make_the_proxy_refuse_or_shed_others(observation: Observation, violation: str) -> None:
    result = replace(RESULT, attacked=observations(photograph=observation), harmless=None)
    assert violations(result) == []
    cheap = replace(result, attack=replace(result.attack, is_cheap=True))
    assert violations(cheap) == [violation]


def test_a_flood_may_make_the_proxy_refuse_others() -> None:
    flood = replace(RESULT.attack, is_flood=True)
    assert violations(replace(RESULT, attack=flood, attacked=observations(health=LOST, small=REFUSED))) == []


def test_each_attack_has_a_name_of_its_own() -> None:
    assert len({attack.name for attack in ALL}) == len(ALL)


def test_a_row_has_the_columns_of_the_header() -> None:
    assert len(row(RESULT)) == len(HEADER)
    assert row(RESULT)[-1] == "yes"
    assert row(replace(RESULT, ended=["proxy"]))[-1] == "no"
