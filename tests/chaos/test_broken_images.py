from tests.chaos.chaos_stack import ChaosStack
from tests.chaos.image_fuzz import post_broken_images
from tests.chaos.overload import memory_mb


async def test_broken_images_get_documented_responses_and_cause_no_crash_or_growth(stack: ChaosStack) -> None:
    await post_broken_images(stack, seed=1, count=50)
    before, pids = memory_mb(stack), {name: process.pid for name, process in stack.processes.items()}
    result = await post_broken_images(stack, seed=2, count=400)
    assert result.undocumented == []
    assert {200, 415, 422} <= set(result.statuses), "some are still readable, corrupt, or of another type"
    await stack.wait_until_idle()
    assert all(process.is_running for process in stack.processes.values())
    assert {name: process.pid for name, process in stack.processes.items()} == pids
    assert all(size - before[name] < 30 for name, size in memory_mb(stack).items())
