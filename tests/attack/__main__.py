"""`make attack`: attacks the running service beside normal clients. Fails if it is harmed, or if they are."""

import argparse
import asyncio
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.attack.attack import Attack
from tests.attack.attack_stack import AttackStack, attack_stack
from tests.attack.attacks import ALL
from tests.attack.campaign import AttackResult, run_attack
from tests.attack.image_costs import cost_table, cost_violations, image_costs
from tests.attack.table import table

MAX_RUNS: Final = 3
"""Of an attack that only delays other clients: a busy machine may have delayed them. An attack does it each time."""


def log(line: str) -> None:
    print(f"make attack: {line}", flush=True)


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make attack", description=__doc__)
    parser.add_argument("--seconds", type=float, default=8, help="duration of each attack, and of its harmless load")
    parser.add_argument("--only", default="", help="run only the attacks whose names contain this text")
    parser.add_argument("--no-costs", action="store_true", help="do not measure what single images cost")
    return parser.parse_args()


async def run_attacks(
    stack: AttackStack, attacks: Sequence[Attack], duration_s: float, directory: Path
) -> Sequence[AttackResult]:
    results = []
    for attack in attacks:
        for _ in range(MAX_RUNS):
            result = await run_attack(stack, attack, max(duration_s, attack.min_s), directory, is_compared=True)
            if any(result.violations()) or not any(result.delays()):
                break
        violations = [*result.violations(), *result.delays()]
        log(f"{'FAILED' if violations else 'ok'}: {attack.name}")
        for violation in violations:
            log(f"    {violation}")
        results.append(result)
    return results


async def run(args: argparse.Namespace, attacks: Sequence[Attack], directory: Path) -> bool:
    """Return False if anything was harmed."""
    async with attack_stack(directory) as stack:
        if not all(limit.is_enforced for limit in stack.memory.values()):
            log("memory is only measured, because this machine allows no control groups (as root, Linux does)")
        results = await run_attacks(stack, attacks, args.seconds, directory)
        print(table(results), flush=True)
        is_ok = not any(any(result.violations()) or any(result.delays()) for result in results)
        if args.only or args.no_costs:
            return is_ok
        costs = await image_costs(stack, log)
        print(cost_table(costs), flush=True)
        for violation in cost_violations(costs):
            log(violation)
        return is_ok and not cost_violations(costs)


def main() -> None:
    args = parse_args()
    attacks = [attack for attack in ALL if args.only in attack.name]
    if not attacks:
        sys.exit(f"make attack: no attack's name contains {args.only!r}")
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))  # which stops all processes
    with tempfile.TemporaryDirectory(prefix="attack-") as name:
        is_ok = asyncio.run(run(args, attacks, Path(name)))
    sys.exit(not is_ok)


if __name__ == "__main__":
    main()
