"""Asks through the client that the protocol's working group generated from its OpenAPI file. Runs in its own environment."""

import json
import sys

from open_inference.openapi.client import OpenInferenceClient
from open_inference.openapi.core.api_error import ApiError
from open_inference.openapi.types import InferenceRequest, RequestInput, RequestOutput, TensorData


def question(images, **more):
    data = TensorData.parse_obj(images)
    shape = [len(images), 8, 8, 1]
    return InferenceRequest(inputs=[RequestInput(name="image", shape=shape, datatype="FP32", data=data)], **more)


def plain(response):
    values = {output.name: [output.shape, json.loads(output.data.json())] for output in response.outputs}
    return {"model": response.model_name, "version": response.model_version, "request": response.id, **values}


def refusal(call):
    try:
        call()
    except ApiError as error:
        return [error.status_code, error.body["error"] if isinstance(error.body, dict) else error.body.error]
    return None


def ask(url, images):
    client = OpenInferenceClient(base_url=url)
    client.check_server_liveness()
    client.check_server_readiness()
    client.check_model_version_readiness("digits8", "1")
    server, model = client.read_server_metadata(), client.read_model_version_metadata("digits8", "1")
    only = [RequestOutput(name="label")]
    return {
        "server": json.loads(server.json()),
        "model": json.loads(model.json()),
        "all": plain(client.model_version_infer("digits8", "1", request=question(images, id="o1"))),
        "label": plain(client.model_version_infer("digits8", "1", request=question(images, outputs=only))),
        "refused": [
            refusal(lambda: client.model_version_infer("nothing", "1", request=question(images))),
            refusal(lambda: client.model_version_infer("digits8", "1", request=question(images[0]))),
        ],
    }


if __name__ == "__main__":
    arguments = json.load(sys.stdin)
    json.dump(ask(arguments["url"], arguments["images"]), sys.stdout)
