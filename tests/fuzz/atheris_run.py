"""`python -m tests.fuzz.atheris_run TARGET [options and directories of libFuzzer]`: fuzz one target."""

import sys

try:
    import atheris
except ImportError:
    sys.exit("tests.fuzz: atheris is not installed: run `make fuzz` (Linux on x86-64, Python 3.11 to 3.13)")

import service_log
from local_tf_serving.protos import import_without_tensorflow

import_without_tensorflow()
with atheris.instrument_imports(include=["image_structure", "local_tf_serving", "proxy"]):
    from tests.fuzz.targets import TARGETS


def main() -> None:
    target = TARGETS[sys.argv[1]]
    service_log.configure("fuzz", level="error", fmt="logfmt")
    atheris.Setup([sys.argv[0], *sys.argv[2:]], lambda data: target.run(bytes(data)))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
