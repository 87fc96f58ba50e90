"""`python -m tests.fuzz SECONDS [TARGET …]`: fuzz targets (default: all) for this long in total."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Final

from harness.process import ROOT
from local_tf_serving.protos import import_without_tensorflow

import_without_tensorflow()
from tests.fuzz.targets import CORPUS, TARGETS  # noqa: E402 (after TensorFlow's protobuf modules)

DIRECTORY: Final = ROOT / "var" / "fuzz"
OPTIONS: Final = ("-max_len=4096", "-timeout=10", "-rss_limit_mb=2048", "-print_final_stats=1")
"""libFuzzer's. An input that takes 10 s or 2 GB is a finding, too."""
TOKENS: Final = CORPUS.with_name("tokens.dict")
EXECUTIONS: Final = re.compile(r"stat::number_of_executed_units: (\d+)")
COVERAGE: Final = re.compile(r"cov: (\d+)")


def fuzz(name: str, seconds: int) -> list[Path]:
    """Fuzz one target, print a line, and return the files of its findings."""
    directory = DIRECTORY / name
    new_inputs = directory / "corpus"
    new_inputs.mkdir(parents=True, exist_ok=True)
    before = set(directory.glob("finding-*"))
    command: list[str | Path] = [
        sys.executable, "-m", "tests.fuzz.atheris_run", name, *OPTIONS, f"-max_total_time={seconds}",
        f"-dict={TOKENS}", f"-artifact_prefix={directory}/finding-", new_inputs, CORPUS / TARGETS[name].corpus,
    ]  # fmt: skip
    with (directory / "log").open("w+", encoding="utf-8", errors="replace") as log:
        status = subprocess.run(command, cwd=ROOT, stdout=log, stderr=log, check=False).returncode
        log.seek(0)
        text = log.read()
    findings = sorted(set(directory.glob("finding-*")) - before)
    executions, coverage = EXECUTIONS.search(text), COVERAGE.findall(text)
    if not findings and (status or not executions):
        sys.exit(f"fuzz: {name} did not run: see {log.name}\n{text[-2000:]}")
    count = int(executions[1]) if executions else 0
    result = f"FAILED, see {log.name}" if findings else "ok"
    print(f"{name:20} {count:9,} inputs {coverage[-1] if coverage else 0:>6} branches   {result}", flush=True)
    return findings


def main(seconds: str, *names: str) -> None:
    targets = names or tuple(TARGETS)
    share = max(1, round(float(seconds) / len(targets)))
    findings = [finding for name in targets for finding in fuzz(name, share)]
    for finding in findings:
        print(f"reproduce with: {sys.executable} -m tests.fuzz.atheris_run {finding.parent.name} {finding}")
    sys.exit(1 if findings else 0)


if __name__ == "__main__":
    main(*sys.argv[1:])
