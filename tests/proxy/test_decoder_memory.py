"""The worst image found of each format takes no more memory than the container's limit is calculated with.

On 2 CPUs, each takes 0.7 to 1.6 s of processor time. Without limits on scans and segments, a JPEG of 84 KB took 50 s.
"""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from harness.process import PYTHON, ROOT
from proxy.memory import DECODER_BYTES_PER_PIXEL, WEBP_BYTES
from proxy.settings import Settings
from tests.images import encode_image, flat_png, jpeg_of_scans
from tests.webp_bombs import webp_of_alpha_groups, webp_of_groups

SIZE: Final = (8192, 6100)
WEBP_SIDE: Final = 4000

PROGRAM: Final = """
import sys
from pathlib import Path
from proxy.image_header import read_header
from proxy.normalizer import to_upright_jpeg
from tests.peak_memory import PeakMemory

image = Path(sys.argv[1]).read_bytes()
header = read_header(image)
memory = PeakMemory("self")
to_upright_jpeg(image, header, 448)
print(memory.growth())
"""


def lossy_webp() -> bytes:
    return encode_image(size=(WEBP_SIDE, WEBP_SIDE), file_format="WEBP", quality=1, method=0)


WORST: Final[dict[str, Callable[[], bytes]]] = {
    "progressive JPEG": lambda: jpeg_of_scans(32, SIZE, components=4),
    "baseline JPEG, thin and long": lambda: encode_image(size=(763, 65_500)),
    "RGBA PNG of 16 bits, interlaced": lambda: flat_png(*SIZE, colour=6, depth=16, is_interlaced=True),
    "transparent GIF": lambda: encode_image("L", SIZE, "GIF", transparency=0),
    "BMP of one bit": lambda: encode_image("1", SIZE, "BMP"),
    "grey PNG of 16 bits": lambda: flat_png(*SIZE, colour=0, depth=16),
    "lossless WebP with a code for each block": lambda: webp_of_groups(WEBP_SIDE),
    "lossy WebP with a code for each block of alpha": lambda: webp_of_alpha_groups(lossy_webp(), WEBP_SIDE),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", WORST)
def test_the_worst_image_of_each_format_takes_no_more_memory_than_the_estimate(name: str, tmp_path: Path) -> None:
    path = tmp_path / "image"
    path.write_bytes(WORST[name]())
    result = subprocess.run([PYTHON, "-c", PROGRAM, path], cwd=ROOT, capture_output=True, text=True, check=True)
    limit = WEBP_BYTES if "WebP" in name else Settings().max_image_pixels * DECODER_BYTES_PER_PIXEL
    assert 0.2 * limit < int(result.stdout) <= 1.05 * limit
