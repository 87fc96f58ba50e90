"""What one image of each kind costs: processor time per byte, and memory, in the proxy and in the fast model."""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from PIL import Image

from harness.process import Process
from harness.stack import FAST_MODEL
from harness.waiting import wait_until
from service_settings import IMAGENET_LABELS
from tests.attack.attack import MB
from tests.attack.attack_stack import AttackStack
from tests.attack.bombs import BOMBS, Bomb, encoded
from tests.attack.processor_time import cpu_s
from tests.chaos.table import markdown
from tf_serving_client import ModelContract, ModelError, ServedClassifier, open_channel, read_labels

MAX_RATIO: Final = 3.0
"""Of the processor time of an image to that of the largest photograph."""
IDLE_S: Final = 0.3
"""How long a process must use no processor time to count as done with an image."""
SETTLE_TIMEOUT_S: Final = 120.0
DIRECT_DEADLINE: Final = timedelta(seconds=5)
"""As of the proxy's calls."""
PHOTOGRAPH: Final = "photograph, 50 megapixels"
HEADER: Final = (
    "image", "kB", "status", "proxy, s", "fast model, s", "s per MB", "straight at the model", "fast model, s",
    "proxy, MB", "fast model, MB",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ImageCost:
    name: str
    size: int
    status: int
    proxy_s: float
    fast_model_s: float
    direct_response: str
    """Of the model server to the image itself, without the proxy."""
    direct_s: float
    peaks_mb: Sequence[float]
    """The proxy's and the fast model's."""

    @property
    def total_s(self) -> float:
        return self.proxy_s + self.fast_model_s

    def row(self) -> tuple[str, ...]:
        return (
            self.name, f"{self.size / 1000:.0f}", str(self.status), f"{self.proxy_s:.2f}", f"{self.fast_model_s:.2f}",
            f"{self.total_s / (self.size / MB):.2f}", self.direct_response, f"{self.direct_s:.2f}",
            *(f"{peak:.0f}" for peak in self.peaks_mb),
        )  # fmt: skip


def photograph() -> bytes:
    """Noise, which is the largest JPEG of its size: about as large as `MAX_IMAGE_BYTES` allows."""
    return encoded(Image.effect_noise((7071, 7071), 30).convert("RGB"), "JPEG", quality=40)


def cost_table(costs: Sequence[ImageCost]) -> str:
    return markdown([HEADER, *(cost.row() for cost in costs)])


def cost_violations(costs: Sequence[ImageCost]) -> Sequence[str]:
    [reference] = [cost for cost in costs if cost.name == PHOTOGRAPH]
    limits = {"through the proxy": MAX_RATIO * reference.total_s, "at the model": MAX_RATIO * reference.direct_s}
    spent = ((cost, {"through the proxy": cost.total_s, "at the model": cost.direct_s}) for cost in costs)
    return [
        f"{cost.name} takes {seconds:.1f} s {way} (limit: {limits[way]:.1f} s)"
        for cost, ways in spent
        for way, seconds in ways.items()
        if seconds > limits[way]
    ]


async def image_costs(stack: AttackStack, report: Callable[[str], None]) -> Sequence[ImageCost]:
    costs = []
    for name, bomb in {PHOTOGRAPH: Bomb(b"image/jpeg", photograph), **BOMBS}.items():
        cost = await _cost(stack, name, bomb.build(), bomb.media_type)
        report(f"{name}: {cost.total_s:.2f} s through the proxy, {cost.direct_s:.2f} s at the model")
        costs.append(cost)
    return costs


async def _cost(stack: AttackStack, name: str, image: bytes, media_type: bytes) -> ImageCost:
    await stack.restart()
    before = [cpu_s([process.pid]) for process in (stack.proxy, stack.fast)]
    async with stack.client(timeout=SETTLE_TIMEOUT_S) as client:
        response = await client.post("/predict", content=image, headers={"content-type": media_type.decode()})
    await _settle(stack.proxy, stack.fast)
    proxy_s, fast_model_s = (
        cpu_s([process.pid]) - used_s for process, used_s in zip((stack.proxy, stack.fast), before, strict=True)
    )
    peaks = [limit.peak_mb for limit in stack.memory.values()]
    direct_response, direct_s = await _direct(stack, image)
    peaks[1] = max(peaks[1], stack.memory["fast model"].peak_mb)
    return ImageCost(name, len(image), response.status_code, proxy_s, fast_model_s, direct_response, direct_s, peaks)


async def _direct(stack: AttackStack, image: bytes) -> tuple[str, float]:
    used_s = cpu_s([stack.fast.pid])
    result = "answered"
    async with open_channel(stack.fast_address) as channel:
        contract = ModelContract(FAST_MODEL, stack.fast_address, labels=read_labels(IMAGENET_LABELS))
        classifier = ServedClassifier(channel, contract, None, DIRECT_DEADLINE)
        try:
            await classifier.classify([image])
        except ModelError as error:
            result = type(error).__name__
    await _settle(stack.fast)
    return result, cpu_s([stack.fast.pid]) - used_s


async def _settle(*processes: Process) -> None:
    """Wait until the processes have finished with an image, which may be after the response."""

    async def is_idle() -> bool:
        before = cpu_s([process.pid for process in processes])
        await asyncio.sleep(IDLE_S)
        return cpu_s([process.pid for process in processes]) - before <= IDLE_S / 10

    with contextlib.suppress(AssertionError):  # it is still busy, and the cost so far is too high anyway
        await wait_until(is_idle, within=SETTLE_TIMEOUT_S)
