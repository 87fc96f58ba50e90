"""`make audit`: finds known vulnerabilities in the locked dependencies, and secrets in the files that git tracks."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from service_settings import ROOT

BASELINE: Final = ".secrets.baseline"
"""Findings that are no secrets: passwords and ids in tests.

`detect-secrets scan --slim --baseline .secrets.baseline` updates this file.
"""
NOT_AUDITED: Final = (
    "make audit: the dependencies were NOT AUDITED, because the database of vulnerabilities cannot be reached"
)
CONNECTION_ERRORS: Final = ("requests.exceptions.", "ServiceError", "your network may be blocking this service")
"""One of these is in pip-audit's output if it failed because of the database, and not because of its arguments."""


def main() -> None:
    problems = [*vulnerabilities(), *secrets(ROOT)]
    for problem in problems:
        print(f"make audit: {problem}")
    sys.exit(bool(problems))


def vulnerabilities() -> Sequence[str]:
    files = [argument for file in sorted((ROOT / "requirements").glob("*.txt")) for argument in ("-r", str(file))]
    command = [program("pip-audit"), "--format=json", "--progress-spinner=off", "--no-deps", "--disable-pip", *files]
    audit = subprocess.run(command, capture_output=True, text=True, check=False)
    if not audit.stdout:
        [*_, error] = audit.stderr.strip().splitlines() or ["no output"]
        if not any(sign in audit.stderr for sign in CONNECTION_ERRORS):
            return [f"pip-audit failed: {error}"]
        print(f"{NOT_AUDITED} ({error})", flush=True)
        return []
    found, unknown, audited = findings(json.loads(audit.stdout)["dependencies"])
    if not audited:
        print(f"{NOT_AUDITED} (it has none of them)", flush=True)
    else:
        print(f"make audit: dependencies audited: {audited}", flush=True)
        if unknown:
            print(f"make audit: not in the database, so NOT AUDITED: {', '.join(unknown)}", flush=True)
    return found


def findings(dependencies: Sequence[Mapping[str, Any]]) -> tuple[Sequence[str], Sequence[str], int]:
    """Return the vulnerabilities in pip-audit's report, the dependencies its database lacks, and how many it has."""
    unknown = {each["name"] for each in dependencies if "skip_reason" in each}
    audited = {(each["name"], each["version"]) for each in dependencies if "skip_reason" not in each}
    vulnerabilities = {
        f"{each['name']} {each['version']}: {vulnerability['id']}, "
        f"fixed in {', '.join(vulnerability['fix_versions']) or 'no version'}"
        for each in dependencies
        for vulnerability in each.get("vulns", [])
    }
    return sorted(vulnerabilities), sorted(unknown), len(audited)


def secrets(directory: Path) -> Sequence[str]:
    """Return what looks like a secret in the files there that git tracks, and is not in the baseline."""
    scan = subprocess.run(
        [program("detect-secrets"), "scan"], cwd=directory, capture_output=True, text=True, check=True
    )
    known = {finding["hashed_secret"] for finding in _findings((ROOT / BASELINE).read_text("utf-8"))}
    return [
        f"{finding['filename']}:{finding['line_number']}: looks like a secret ({finding['type']})"
        for finding in _findings(scan.stdout)
        if finding["hashed_secret"] not in known and finding["filename"] != BASELINE
    ]


def _findings(report: str) -> Sequence[Mapping[str, Any]]:
    return [finding for findings in json.loads(report)["results"].values() for finding in findings]


def program(name: str) -> str:
    return str(Path(sys.executable).with_name(name))


if __name__ == "__main__":
    main()
