"""Asks through KServe's `InferenceRESTClient` in protocol v2, in JSON and in binary. Runs in its own environment."""

import asyncio
import json
import sys

import httpx
import numpy as np
from kserve import InferInput, InferRequest, RESTConfig
from kserve.inference_client import InferenceRESTClient
from kserve.protocol.infer_type import RequestedOutput


def question(rows, binary, outputs=None, parameters=None):
    tensor = InferInput("image", list(rows.shape), "FP32")
    tensor.set_data_from_numpy(rows, binary_data=binary)
    return InferRequest("digits8", [tensor], request_id="k1", request_outputs=outputs, parameters=parameters)


def plain(response):
    values = {output.name: output.as_numpy().tolist() for output in response.outputs}
    return {"model": response.model_name, "request": response.id, **values}


async def refusal(call):
    try:
        await call
    except httpx.HTTPStatusError as error:
        return str(error)
    return None


async def ask(url, images):
    rows = np.array(images, np.float32)
    client = InferenceRESTClient(RESTConfig(protocol="v2"))
    only = [RequestedOutput("probabilities"), RequestedOutput("embedding")]
    said = {
        "live": await client.is_server_live(url),
        "ready": await client.is_server_ready(url),
        "model ready": await client.is_model_ready(url, "digits8"),
        "nothing ready": await client.is_model_ready(url, "nothing"),
        "json": plain(await client.infer(url, question(rows, False), model_name="digits8")),
        "binary": plain(await client.infer(url, question(rows, True, only, {"binary_data_output": True}), model_name="digits8")),
        "refused": await refusal(client.infer(url, question(rows[:, :4], True), model_name="digits8")),
    }
    await client.close()
    return said


if __name__ == "__main__":
    arguments = json.load(sys.stdin)
    json.dump(asyncio.run(ask(arguments["url"], arguments["images"])), sys.stdout)
