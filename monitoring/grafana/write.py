"""Writes the dashboards as Grafana reads them: `python -m monitoring.grafana.write`."""

from __future__ import annotations

from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from monitoring.grafana.model import model
from monitoring.grafana.service import service

FOLDER = Path(__file__).with_name("dashboards")


def dashboards() -> dict[str, str]:
    """The text of each file in dashboards/."""
    encoder = JSONEncoder(sort_keys=True, indent=2, ensure_ascii=False)
    return {f"{name}.json": encoder.encode(built().build()) + "\n" for name, built in (("service", service), ("model", model))}


def main() -> None:
    for name, text in dashboards().items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
