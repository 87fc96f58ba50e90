"""The commands in the transcript of the original project still print what the transcript shows."""

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
"""The original's, except that the label is that of this repository's cat and that the job ids match the responses."""


def steps() -> list[tuple[str, dict[str, Any]]]:
    """Return each command with the response that is printed below it."""
    parts = re.findall(r"^\$ ([^#]*?)\n((?:#.*\n)+)", TRANSCRIPT, re.M)
    return [(command, json.loads(re.sub("^#", "", printed, flags=re.M))) for command, printed in parts]


def run(command: str, stack: Stack) -> dict[str, Any]:
    command = command.replace("localhost:8000", f"127.0.0.1:{stack.port}").replace("curl ", "curl -sS ")
    process = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    response: dict[str, Any] = json.loads(process.stdout)
    return response


async def test_the_transcript_is_reproduced(stack: Stack) -> None:
    ids: dict[str, str] = {}
    assert len(steps()) == 7
    for command, expected in steps():
        if "/job/" in command:
            [printed_id] = expected
            await check_job(command.replace(printed_id, ids[printed_id]), ids[printed_id], stack)
            continue
        response = run(command, stack)
        if "job_id" in expected:
            ids[expected["job_id"]] = response["job_id"]
            expected["job_id"] = response["job_id"]
            if not has_trained_mobilenet():
                expected["mobilenet_v2"] = response["mobilenet_v2"]
        assert list(response.items()) == list(expected.items())


async def check_job(command: str, job_id: str, stack: Stack) -> None:
    """Wait for the accurate model's label. Its value depends on the weights, which may be untrained."""

    def predicted() -> bool:
        response = run(command, stack)
        assert response.keys() == {job_id}
        assert response[job_id].keys() == {"prediction"}
        return bool(response[job_id]["prediction"])

    await wait_until(predicted, within=60, every=0.2)
