"""compose.yaml without an engine: it keeps to the Compose specification, and what its parts call each other is what they are called."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from tests.live_server import ROOT

TEXT = (ROOT / "compose.yaml").read_text(encoding="utf-8")
COMPOSE = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]


def read(path: str) -> Any:
    return yaml.safe_load((ROOT / "monitoring" / path).read_text(encoding="utf-8"))


def mounts(service: str) -> dict[str, str]:
    """Where something is in the service: what is there."""
    parts = (volume.split(":") for volume in SERVICES[service]["volumes"])
    return {part[1]: part[0] for part in parts}


def test_it_keeps_to_the_compose_specification() -> None:
    compose_spec = pytest.importorskip("compose_spec")
    found = compose_spec.PyCompose.from_yaml(TEXT)
    found.validate()

    assert set(found.service_names()) == {"veleta", "prometheus", "alertmanager", "grafana"}
    with pytest.raises(ValueError, match="unknown variant"):
        compose_spec.PyCompose.from_yaml(TEXT.replace("service_healthy", "healthy"))


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_can_write_only_where_it_keeps_its_state(service: str) -> None:
    described = SERVICES[service]
    assert described["read_only"]
    assert described["cap_drop"] == ["ALL"]
    assert all(port.startswith("127.0.0.1:") for port in described["ports"])
    for volume in described["volumes"]:
        source, _, *mode = volume.split(":")
        if source.startswith("./"):
            assert mode == ["ro"], volume
            assert (ROOT / source).exists(), volume
        else:
            assert source in COMPOSE["volumes"], volume


def test_images_of_others_are_pinned_and_have_a_health_check() -> None:
    for name, described in SERVICES.items():
        if "build" in described:
            assert "HEALTHCHECK" in (ROOT / described["build"] / "Dockerfile").read_text()
        else:
            assert re.fullmatch(r".+:v?\d+\.\d+\.\d+", described["image"]), name
            assert described["healthcheck"]["test"]


def test_they_find_each_other_and_their_files() -> None:
    prometheus, grafana = read("prometheus/prometheus.yml"), read("grafana/provisioning/datasources/prometheus.yml")
    asked = [target for job in prometheus["scrape_configs"] for group in job["static_configs"] for target in group["targets"]]
    asked += [t for manager in prometheus["alerting"]["alertmanagers"] for group in manager["static_configs"] for t in group["targets"]]
    asked += [source["url"].removeprefix("http://") for source in grafana["datasources"]]
    listening = {f"{name}:{port.split(':')[-1]}" for name, described in SERVICES.items() for port in described["ports"]}

    assert set(asked) - {"localhost:9090"} == listening - {"grafana:3000"}
    assert mounts("prometheus")["/etc/prometheus/rules"] == "./monitoring/prometheus/rules"
    assert prometheus["rule_files"] == ["rules/*.yml"]
    (provider,) = read("grafana/provisioning/dashboards/veleta.yml")["providers"]
    assert mounts("grafana")[provider["options"]["path"]] == "./monitoring/grafana/dashboards"
    home = SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert (ROOT / "monitoring" / "grafana" / "dashboards" / home.removeprefix(provider["options"]["path"] + "/")).exists()
    assert mounts("veleta")["/models"] == "./models"
