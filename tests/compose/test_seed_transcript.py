"""What users of the seed know: its commands, as it prints them, give what it prints."""

import json
import re
import subprocess
from typing import Any, Final

from harness.models import has_trained_mobilenet
from harness.process import ROOT
from harness.waiting import wait_until
from tests.compose.compose_stack import Stack

TRANSCRIPT: Final = r"""
$ curl localhost:8000/health
# {
#   "health":"ok"
# }

$ curl localhost:8000/health/all
# {
#   "mobilenet_v2": "ok",
#   "inception_v3": "ok"
# }

$ curl localhost:8000/metadata
# {
#   "data_type": "str",
#   "data_structure": "(1,1)",
#   "data_sample": "base64 encoded image file",
#   "prediction_type": "float32",
#   "prediction_structure": "(1,1001)",
#   "prediction_sample": "[0.07093159, 0.01558308, 0.01348537, ...]"
# }

$ curl localhost:8000/predict/test
# {
#   "job_id": "6195b8",
#   "mobilenet_v2": "Egyptian cat"
# }

$ (echo -n '{"image_data": "'; base64 data/cat.jpg; echo '"}') | \
    curl \
    -X POST \
    -H "Content-Type: application/json" \
    -d @- \
    localhost:8000/predict
# {
#   "job_id": "9e987f",
#   "mobilenet_v2": "Egyptian cat"
# }

$ curl localhost:8000/job/6195b8
# {
#   "6195b8": {
#     "prediction": "Siamese cat"
#   }
# }

$ curl localhost:8000/job/9e987f
# {
#   "9e987f": {
#     "prediction": "Siamese cat"
#   }
# }
"""
"""The seed's own but for two things: the label is that of this cat, and the jobs asked for are those of the answers."""


def steps() -> list[tuple[str, dict[str, Any]]]:
    """Each command with the answer that is printed below it."""
    parts = re.findall(r"^\$ ([^#]*?)\n((?:#.*\n)+)", TRANSCRIPT, re.M)
    return [(command, json.loads(re.sub("^#", "", printed, flags=re.M))) for command, printed in parts]


def said(command: str, stack: Stack) -> dict[str, Any]:
    command = command.replace("localhost:8000", f"127.0.0.1:{stack.port}").replace("curl ", "curl -sS ")
    run = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    answer: dict[str, Any] = json.loads(run.stdout)
    return answer


async def test_the_transcript_of_the_seed_is_true(stack: Stack) -> None:
    ids: dict[str, str] = {}
    assert len(steps()) == 7
    for command, expected in steps():
        if "/job/" in command:
            [printed_id] = expected
            await check_job(command.replace(printed_id, ids[printed_id]), ids[printed_id], stack)
            continue
        answer = said(command, stack)
        if "job_id" in expected:
            ids[expected["job_id"]] = answer["job_id"]
            expected["job_id"] = answer["job_id"]
            if not has_trained_mobilenet():
                expected["mobilenet_v2"] = answer["mobilenet_v2"]
        assert list(answer.items()) == list(expected.items())


async def check_job(command: str, job_id: str, stack: Stack) -> None:
    """The accurate model takes a moment, and what its label is, only trained weights know."""

    def predicted() -> bool:
        answer = said(command, stack)
        assert answer.keys() == {job_id}
        assert answer[job_id].keys() == {"prediction"}
        return bool(answer[job_id]["prediction"])

    await wait_until(predicted, within=60, every=0.2)
