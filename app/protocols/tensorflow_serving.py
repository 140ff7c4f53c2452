"""TensorFlow Serving's REST API, and with it KServe's V1 protocol: predict, classify and regress.

Only the live version answers: by default, by its number, as version 0 (what some clients call "latest") and by the labels `live` and
`stable`. Verbs are read whatever their case. By default there is one output, the probabilities or the value, and it is given bare;
`signature_name` may ask for more: `with_embedding`, or `with_id`, whose ids /feedback takes.

Sources: tensorflow.org/tfx/serving/api_rest; tensorflow_serving/model_servers/http_rest_api_handler.cc.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from app.answers import Reply
from app.errors import BadInput, UnknownModel
from app.predictor import Answer
from app.protocols import tensor_json
from app.protocols.exchange import Asked, Prediction, Request
from app.served import Loaded, Served
from app.service import Service

LABELS = ("live", "stable")


def find(served: Served, name: str, version: str | None = None, label: str | None = None) -> Loaded:
    """The live version of a model, if that is what is asked for. Raises BadInput, UnknownModel or NotReady."""
    if version is not None and label is not None:
        raise BadInput("the address has both a version and a label; ask for one of them")
    loaded = served.get(name)
    live = loaded.published.manifest.version
    if label is not None and label not in LABELS:
        raise UnknownModel(f"{name} has no label {label[:40]!r}; version {live} is served, as {' and '.join(LABELS)}")
    if version is None:
        return loaded
    if not (version.isascii() and version.isdecimal()):
        raise BadInput(f"the version is {version[:40]!r}, expected a whole number")
    if version.lstrip("0") not in ("", str(live)):
        raise UnknownModel(f"{name} has no version {version[:40]} that is served; version {live} is")
    return loaded


def _read(service: Service, request: Request, name: str, verb: str, version: str | None = None, label: str | None = None) -> Asked:
    read = VERBS.get(verb.lower())
    if read is None:
        raise BadInput(f"Malformed request: POST {request.path[:80]}; the verbs are {', '.join(VERBS)}")
    loaded = find(service.served, name, version, label)
    return read(service, loaded, tensor_json.read_object(request.body))


def _predict(service: Service, loaded: Loaded, data: dict[str, Any]) -> Asked:
    outputs, in_columns = tensor_json.signature(data, loaded), tensor_json.column_form(data)
    rows = service.rows(loaded, partial(tensor_json.read_rows, data))

    def reply(answer: Answer) -> Reply:
        return Reply(tensor_json.write_answer(tensor_json.outputs_of(loaded, answer, outputs, service.seal), in_columns))

    return Asked(loaded, rows, reply)


def _classify(service: Service, loaded: Loaded, data: dict[str, Any]) -> Asked:
    _expect_task(loaded, "classification")
    classes = loaded.published.manifest.classes

    def results(answer: Answer) -> list[Any]:
        return [list(zip(classes, row, strict=True)) for row in answer.outputs.tolist()]

    return _examples(service, loaded, data, results)


def _regress(service: Service, loaded: Loaded, data: dict[str, Any]) -> Asked:
    _expect_task(loaded, "regression")
    return _examples(service, loaded, data, lambda answer: answer.outputs[:, 0])


def _examples(service: Service, loaded: Loaded, data: dict[str, Any], results: Callable[[Answer], Any]) -> Asked:
    """What classify and regress have in common: examples are features by name, and `context` holds those that all share."""
    tensor_json.signature(data, loaded)
    examples, context = data.get("examples"), data.get("context", {})
    if not isinstance(examples, list) or not all(isinstance(each, Mapping) for each in [context, *examples]):
        raise BadInput(f'expected {{"examples": [{{"{loaded.published.manifest.input.name}": [...]}}, ...]}} and features by name in each')
    rows = service.rows(loaded, partial(tensor_json.read_values, [{**context, **example} for example in examples]))
    return Asked(loaded, rows, lambda answer: Reply(tensor_json.write_numbers({"results": results(answer)}, [answer.outputs])))


def _expect_task(loaded: Loaded, task: str) -> None:
    manifest = loaded.published.manifest
    if manifest.task != task:
        raise BadInput(f"{manifest.name} is a model of {manifest.task}, not of {task}; ask it with :predict")


VERBS: Mapping[str, Callable[[Service, Loaded, dict[str, Any]], Asked]] = {"predict": _predict, "classify": _classify, "regress": _regress}
TARGETS = ("<name>", "<name>/versions/<version>", "<name>/labels/<label>")
PREDICTIONS = tuple(
    Prediction(f"/v1/models/{target}:<verb>", "/v1", _read) for target in (*TARGETS, "<name>/versions/<version>/labels/<label>")
)
