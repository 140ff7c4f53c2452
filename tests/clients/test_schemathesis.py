"""Schemathesis asks everything that the description allows, and much that it forbids: no answer is undescribed, and none is a failure.

What it sends as valid may be refused all the same, and what it sends as invalid may be read, since a tensor's shape is the model's and
stands in no schema: so the checks of that are left out.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.live_server import LiveServer

CHECKS = (
    "not_a_server_error", "status_code_conformance", "content_type_conformance", "response_headers_conformance",
    "response_schema_conformance", "unsupported_method", "allow_header_conformance",
)  # fmt: skip
#: What would be done one after the other, and takes a minute and a half, is done side by side.
PHASES = ("examples,coverage", "fuzzing")


@pytest.mark.clients
def test_no_undescribed_answer_and_no_failure(client_python: Callable[[str], Path], server: LiveServer, tmp_path: Path) -> None:
    (tmp_path / "openapi.json").write_text(json.dumps(sharpened(server.get("/openapi.json").json())))
    command = [
        client_python("schemathesis").with_name("schemathesis"), "run", tmp_path / "openapi.json", "--url", server.url, "--seed", "1",
        "--checks", ",".join(CHECKS), "--max-examples", "30", "--no-shrink", "--continue-on-failure", "--generation-database", "none",
        "--suppress-health-check", "all", "--no-color",
    ]  # fmt: skip

    def run(phases: str) -> subprocess.CompletedProcess[str]:
        (folder := tmp_path / phases).mkdir()
        return subprocess.run([*command, "--phases", phases], cwd=folder, capture_output=True, text=True, timeout=800, check=False)

    with ThreadPoolExecutor() as side_by_side:
        for done in side_by_side.map(run, PHASES):
            assert done.returncode == 0, done.stdout[-15000:] + done.stderr[-3000:]
    assert server.get("/readyz").status_code == 200
    log = server.log.read_text()
    assert "Traceback" not in log, log[-5000:]


def sharpened(document: Any) -> Any:
    """The description with the models that there are, or nearly all requests would be for others; and nobody in more of a hurry than we."""
    wanted = {"version": {"enum": ["0", "1"]}, "X-Request-Timeout": {"minimum": 1}}
    for operation in [each for operations in document["paths"].values() for each in operations.values()]:
        for parameter in operation["parameters"]:
            parameter["schema"] |= wanted.get(parameter["name"], {})
            if parameter["name"] == "name":
                parameter["schema"]["enum"] = list(parameter["examples"])
    return document
