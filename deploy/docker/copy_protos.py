"""`python copy_protos.py WHEEL FOLDER`: TensorFlow's protobuf modules that the stubs need, and no more.

The wheel is imported from as it is, a zip file: which modules are needed is what the import of the stubs itself loads.
"""

import sys
import zipfile
from pathlib import Path, PurePosixPath


def copy_protos(wheel: Path, folder: Path) -> list[str]:
    """Return the names of the files, relative to both."""
    sys.path.insert(0, str(wheel))
    import tf_serving_client.protos  # noqa: F401 (imported for what it loads)

    loaded = (module.__file__ for name, module in sys.modules.items() if name.startswith("tensorflow."))
    names = sorted(PurePosixPath(file).relative_to(wheel).as_posix() for file in loaded if file)
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder, names)
    return names


if __name__ == "__main__":
    copied = copy_protos(Path(sys.argv[1]).absolute(), Path(sys.argv[2]))
    print(f"{len(copied)} of TensorFlow's files")
