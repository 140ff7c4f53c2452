"""Clients that others wrote, each in its own environment, in its own process, against a real server."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.clients.environments import python_of

Client = Callable[..., Any]
collect_ignore_glob = ["ask_*.py"]  # scripts that run in environments of their own


@pytest.fixture(scope="session")
def client_python() -> Callable[[str], Path]:
    """The interpreter of a client's environment by its name, as in `client_python("kserve")`."""
    return python_of


@pytest.fixture(scope="session")
def run_client(client_python: Callable[[str], Path]) -> Client:
    """Run a script of this folder in an environment with arguments as JSON on its stdin; what it prints as JSON comes back."""

    def run(environment: str, script: str, **arguments: Any) -> Any:
        command = [client_python(environment), Path(__file__).with_name(script)]
        done = subprocess.run(command, input=json.dumps(arguments), capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run
