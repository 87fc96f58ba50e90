"""The tables that `make attack` prints, in Markdown."""

from collections import Counter
from collections.abc import Sequence
from typing import Final

from tests.attack.campaign import AttackResult
from tests.attack.normal_clients import HEALTH, IMAGES, Outcome, p95_ms
from tests.chaos.table import markdown

HEADER: Final = (
    "attack", "s", "processors", "health p95, ms", "image p95, ms", "refused", "shed", "wrong", "no response",
    "proxy, MB", "fast model, MB", "ended", "responses to the attacker", "passed",
)  # fmt: skip


def table(results: Sequence[AttackResult]) -> str:
    """Latencies are those beside the attack and, after a slash, those beside a harmless load."""
    return markdown([HEADER, *map(row, results)])


def row(result: AttackResult) -> tuple[str, ...]:
    attacked = result.attacked.values()
    total = sum(each.outcomes.total() for each in attacked)

    def share(outcome: Outcome) -> str:
        return f"{sum(each.outcomes[outcome] for each in attacked) / total:.0%}"

    wrong = sum((each.wrong for each in attacked), start=Counter[int]())
    return (
        result.attack.name,
        f"{result.duration_s:.0f}",
        f"{result.share.loop + result.share.rest:.1f}",
        latency(result, [HEALTH]),
        latency(result, IMAGES),
        share(Outcome.REFUSED),
        share(Outcome.SHED),
        ", ".join(f"{count} × {status}" for status, count in wrong.items()) or "0",
        share(Outcome.UNANSWERED),
        f"{result.peaks_mb['proxy']:.0f}",
        f"{result.peaks_mb['fast model']:.0f}",
        ", ".join(result.ended) or "none",
        ", ".join(f"{status}: {count}" for status, count in sorted(result.responses.items())) or "none",
        "no" if any(result.violations()) or any(result.delays()) else "yes",
    )


def latency(result: AttackResult, kinds: Sequence[str]) -> str:
    harmless = f"{p95_ms(result.harmless, kinds):.0f}" if result.harmless else "–"
    return f"{p95_ms(result.attacked, kinds):.0f} / {harmless}"
