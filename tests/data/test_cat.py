"""`data/cat.jpg`, the image of the README's first example."""

from pathlib import Path
from typing import Final

from PIL import Image

CAT: Final = Path(__file__).parents[2] / "data" / "cat.jpg"


def test_the_cat_is_an_rgb_jpeg() -> None:
    with Image.open(CAT) as cat:
        cat.load()
        assert (cat.format, cat.mode, cat.size) == ("JPEG", "RGB", (451, 300))


def test_the_cat_has_no_metadata_about_camera_or_photographer() -> None:
    with Image.open(CAT) as cat:
        assert not cat.getexif()
        assert set(cat.info) == {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
