"""Copies the protobuf modules that the model client needs out of TensorFlow's wheel.

Usage: `python copy_protos.py WHEEL FOLDER`. The script imports the client's stubs with the wheel, a zip file, on
`sys.path`; the modules that this import loads are the ones that are needed.
"""

import sys
import zipfile
from pathlib import Path, PurePosixPath


def copy_protos(wheel: Path, folder: Path) -> list[str]:
    """Return the paths of the copied files, relative to the wheel and to `folder`."""
    sys.path.insert(0, str(wheel))
    import tf_serving_client.protos  # noqa: F401 (imported for the modules that it loads)

    loaded = (module.__file__ for name, module in sys.modules.items() if name.startswith("tensorflow."))
    names = sorted(PurePosixPath(file).relative_to(wheel).as_posix() for file in loaded if file)
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder, names)
    return names


if __name__ == "__main__":
    copied = copy_protos(Path(sys.argv[1]).absolute(), Path(sys.argv[2]))
    print(f"copied {len(copied)} protobuf modules of TensorFlow")
