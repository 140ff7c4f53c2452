"""The description of the routes: it is valid, it is complete, and what it shows works."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from openapi_spec_validator import OpenAPIV31SpecValidator, validate

from app.description.document import OPERATIONS, Server, described, said
from app.description.document import document as document_of
from app.protocols.table import PREDICTIONS

HIDDEN = {"/predict/", "/static/<path:filename>", "/v2/"}


@pytest.fixture
def document(client: FlaskClient) -> Any:
    response = client.get("/openapi.json")
    assert (response.status_code, response.content_type) == (200, "application/json")
    return response.get_json()


def test_it_is_openapi_3_1(document: Any) -> None:
    assert document["openapi"].startswith("3.1")
    validate(document, cls=OpenAPIV31SpecValidator)


def test_every_route_is_described_and_every_description_is_a_route(flask_app: Flask) -> None:
    rules = list(flask_app.url_map.iter_rules())
    found = list(described(rules))

    assert len(found) == len(list(said(rules))), "some route has no description"
    assert all(any(operation is used for _, _, used in found) for operation in OPERATIONS.values()), "some description has no route"
    unsaid = {rule.rule for rule in rules} - {rule.replace(":predict", ":<verb>") for _, rule in said(rules)}
    assert all(
        rule in HIDDEN or "/versions//" in rule or "versions/<version>/labels/" in rule or rule.endswith("/versions/") for rule in unsaid
    ), unsaid


def test_every_way_to_predict_is_there(document: Any) -> None:
    paths = {path for path, operations in document["paths"].items() if "post" in operations}
    for prediction in PREDICTIONS:
        written = re.sub(r"<(\w+)>", r"{\1}", prediction.rule).replace("{verb}", "predict")
        assert written in paths or written == "/predict/" or "/versions//" in written or "versions/{version}/labels" in written


def test_names_are_unique_and_references_lead_somewhere(document: Any) -> None:
    operations = [operation for operations in document["paths"].values() for operation in operations.values()]
    assert len({operation["operationId"] for operation in operations}) == len(operations)
    for reference in re.findall(r"'#/components/(\w+)/(\w+)'", str(document)):
        assert reference[1] in document["components"][reference[0]], reference


def test_the_examples_are_answered(client: FlaskClient, document: Any) -> None:
    for path in ("/predict", "/invocations"):
        example = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]["example"]
        assert client.post(path, json=example).status_code == 200
    names = document["paths"]["/predict/{name}"]["post"]["parameters"][0]["examples"]
    assert set(names) == {"digits8", "iris"}


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def test_the_page_shows_every_operation_and_needs_nothing_from_elsewhere(client: FlaskClient, document: Any) -> None:
    response = client.get("/docs")
    page = _Page()
    page.feed(response.text)
    identities = {attributes.get("id") for _, attributes in page.found}

    assert (response.status_code, response.content_type) == (200, "text/html; charset=utf-8")
    assert {operation["operationId"] for operations in document["paths"].values() for operation in operations.values()} <= identities
    assert {f"schema-{name}" for name in document["components"]["schemas"]} <= identities
    for tag, attributes in page.found:
        assert tag not in ("script", "style", "iframe")
        assert not {"style", "onclick"} & attributes.keys()
        for link in (attributes.get("href"), attributes.get("src")):
            assert link is None or (link.lstrip("#") in identities if link.startswith("#") else "//" not in link)
    for link in ("static/docs.css", "static/icon.svg", "openapi.json"):
        with client.get(f"/{link}") as found:
            assert found.status_code == 200


def test_keys_and_limits_are_described_where_they_hold(flask_app: Flask) -> None:
    rules = list(flask_app.url_map.iter_rules())
    open_paths = document_of(rules, Server("1", [], keys=False))["paths"]
    guarded = document_of(rules, Server("1", [], keys=True, rates=True))
    validate(guarded, cls=OpenAPIV31SpecValidator)

    assert not {"401", "403"} & open_paths["/predict"]["post"]["responses"].keys()
    assert {"401", "403", "429"} <= guarded["paths"]["/monitor"]["get"]["responses"].keys()
    assert guarded["paths"]["/monitor"]["get"]["security"] == [{"bearer": []}, {"key": []}]
    assert not {"401", "403", "429"} & guarded["paths"]["/readyz"]["get"]["responses"].keys()
