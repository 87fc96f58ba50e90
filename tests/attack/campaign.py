"""Runs one attack beside normal clients, and then a harmless load that takes as much of the processor."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from harness.process import PYTHON, Process
from harness.waiting import wait_until
from tests.attack.attack import Attack
from tests.attack.attack_stack import AttackStack
from tests.attack.attacker import STARTED
from tests.attack.normal_clients import HEALTH, IMAGES, Observation, Observations, Outcome, observe, p95_ms
from tests.attack.processor_time import cpu_s, main_thread_cpu_s

PREPARATION_TIMEOUT_S: Final = 60.0
MAX_P95_RATIO: Final = 2.0
"""Of normal clients beside an attack, to those beside a harmless load."""
P95_TOLERANCE_MS: Final = 50.0
"""Latencies are a few milliseconds on an idle machine, and many more on a busy one."""
MAX_REFUSED: Final = 0.25
"""Part of the requests that are refused or shed beside an attack, and would not be beside a harmless load."""
REPORT_SUFFIX: Final = ".json"
MAX_STALL_S: Final = 15.0
"""The longest that a normal client may wait for a response, whatever else the machine does."""


@dataclass(frozen=True, slots=True)
class Share:
    """Of the processors, that something took on average."""

    loop: float
    """The proxy's event loop."""
    rest: float
    """The proxy's other threads, the models, the worker, Redis and the attacker."""


@dataclass(frozen=True, slots=True)
class AttackResult:
    attack: Attack
    duration_s: float
    share: Share
    attacked: Observations
    responses: Mapping[str, int]
    """To the attacker."""
    peaks_mb: Mapping[str, float]
    limits_mb: Mapping[str, int]
    ended: Sequence[str]
    """Processes that the attack ended."""
    harmless: Observations | None = None
    """None: not compared."""

    def violations(self) -> Iterator[str]:
        for name in self.ended:
            yield f"the {name} has ended"
        for name, peak in self.peaks_mb.items():
            if peak > self.limits_mb[name]:
                yield f"the {name} took {peak:.0f} MB (limit: {self.limits_mb[name]} MB)"
        for kind, observation in self.attacked.items():
            yield from (f"{kind}: {violation}" for violation in self._harm(observation))
            if self.attack.is_cheap and self.harmless is None:
                yield from self._refusals(kind, observation, Observation())

    def delays(self) -> Iterator[str]:
        """What another load on this machine may also have caused."""
        if self.harmless is None:
            return
        for kind, observation in self.attacked.items():
            yield from self._refusals(kind, observation, self.harmless[kind])
        for kinds in ([HEALTH], IMAGES):
            attacked, harmless = p95_ms(self.attacked, kinds), p95_ms(self.harmless, kinds)
            if attacked > MAX_P95_RATIO * harmless + P95_TOLERANCE_MS:
                yield f"{', '.join(kinds)}: p95 {attacked:.0f} ms (harmless load: {harmless:.0f} ms)"

    def _refusals(self, kind: str, attacked: Observation, harmless: Observation) -> Iterator[str]:
        for outcome in (Outcome.REFUSED, Outcome.SHED):
            if not self.attack.is_flood and attacked.share(outcome) > harmless.share(outcome) + MAX_REFUSED:
                yield f"{kind}: {attacked.share(outcome):.0%} {outcome.value}"

    def _harm(self, observation: Observation) -> Iterator[str]:
        if observation.wrong:
            yield f"statuses {dict(observation.wrong)}"
        if self.attack.is_flood:  # new connections may be reset
            if observation.share(Outcome.UNANSWERED) == 1:
                yield "no request was answered"
        elif count := observation.outcomes[Outcome.UNANSWERED]:
            yield f"{count} of {observation.outcomes.total()} got no response"
        if (slowest := max(observation.latencies_s)) > MAX_STALL_S:
            yield f"one took {slowest:.0f} s"


@asynccontextmanager
async def load(process: Process) -> AsyncIterator[None]:
    """A process that puts load on the stack, after its preparations."""
    process.log.unlink(missing_ok=True)
    process.start()
    try:

        def has_started() -> bool:
            process.check_running()
            return bool(process.logged(STARTED))

        await wait_until(has_started, within=PREPARATION_TIMEOUT_S)
        yield
        process.check_running()
    finally:
        await asyncio.to_thread(process.stop)


@dataclass(slots=True)
class _Clock:
    """Measures the share of the processors that the stack and a load take."""

    stack: AttackStack
    load: Process
    _started: float = field(init=False)
    _at_start: Share = field(init=False)

    def __post_init__(self) -> None:
        self._started, self._at_start = time.monotonic(), self._used_s()

    def share(self) -> Share:
        duration, used = time.monotonic() - self._started, self._used_s()
        return Share(
            max(0.0, used.loop - self._at_start.loop) / duration, max(0.0, used.rest - self._at_start.rest) / duration
        )

    def _used_s(self) -> Share:
        loop = main_thread_cpu_s(self.stack.proxy.pid)
        everything = cpu_s([*stack_pids(self.stack), self.stack.proxy.pid, self.load.pid])
        return Share(loop, everything - loop)


def stack_pids(stack: AttackStack) -> Sequence[int]:
    """All processes of the stack but the proxy."""
    assert stack.redis.process
    others = [process for process in stack.processes.values() if process is not stack.proxy]
    return [stack.redis.process.pid, *(process.pid for process in others)]


async def run_attack(
    stack: AttackStack, attack: Attack, duration_s: float, directory: Path, *, is_compared: bool
) -> AttackResult:
    """Start with an empty proxy if the attack is to be compared, or if the last one still has an effect."""
    if is_compared or not await stack.is_calm():
        await stack.restart()
    attacker = attacker_process(stack, attack, directory / "attacker")
    async with load(attacker):
        clock = _Clock(stack, attacker)
        observing = asyncio.create_task(observe(stack.port, duration_s))
        await asyncio.wait([observing], timeout=duration_s)
        share = clock.share()
    attacked = await observing
    ended = [name for name, process in stack.processes.items() if not process.is_running]
    peaks_mb = {name: limit.peak_mb for name, limit in stack.memory.items()}
    harmless = None
    if is_compared and not ended:
        harmless = await observe_harmless(stack, attack.twin or share, duration_s, directory)
    return AttackResult(
        attack, duration_s, share, attacked, responses(attacker), peaks_mb,
        {name: limit.limit_mb for name, limit in stack.memory.items()}, ended, harmless,
    )  # fmt: skip


def attacker_process(stack: AttackStack, attack: Attack, log: Path) -> Process:
    report = log.with_suffix(REPORT_SUFFIX)
    report.unlink(missing_ok=True)
    return Process([PYTHON, "-m", "tests.attack.attacker", attack.name, str(stack.port), str(report)], {}, log)


def responses(attacker: Process) -> Mapping[str, int]:
    counts: Mapping[str, int] = json.loads(attacker.log.with_suffix(REPORT_SUFFIX).read_text("utf-8"))
    return counts


async def observe_harmless(
    stack: AttackStack, harmless: Attack | Share, duration_s: float, directory: Path
) -> Observations:
    if isinstance(harmless, Attack):
        process = attacker_process(stack, harmless, directory / "harmless")
    else:
        command = [
            PYTHON, "-m", "tests.attack.harmless_load", str(stack.port), str(stack.proxy.pid), f"{harmless.loop:.3f}",
            f"{harmless.rest:.3f}", *map(str, stack_pids(stack)),
        ]  # fmt: skip
        process = Process(command, {}, directory / "harmless")
    async with load(process):
        return await observe(stack.port, duration_s)
