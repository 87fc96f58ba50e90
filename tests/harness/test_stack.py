from pathlib import Path

from harness.stack import Stack


def test_stacks_that_are_not_started_yet_have_different_ports(tmp_path: Path) -> None:
    stacks = [Stack(tmp_path / str(number), tmp_path) for number in range(20)]
    try:
        ports = [(stack.port, stack.fast_port, stack.accurate_port, stack.redis.port) for stack in stacks]
        assert len({port for stack_ports in ports for port in stack_ports}) == 4 * len(stacks)
    finally:
        for stack in stacks:
            stack.stop()
