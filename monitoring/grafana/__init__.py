"""Dashboards for Grafana, written with Grafana's own SDK: `python -m monitoring.grafana.write` writes dashboards/*.json.

The files in dashboards/ and provisioning/ are what Grafana reads; the code is only needed to change them, and is not installed.
"""
