"""Asks through KServe's `InferenceRESTClient` in protocol V1. Runs in its own environment."""

import asyncio
import json
import sys

import httpx
from kserve import RESTConfig
from kserve.inference_client import InferenceRESTClient


async def refusal(call):
    try:
        await call
    except httpx.HTTPStatusError as error:
        return str(error)
    return None


async def ask(url, images, packed):
    client = InferenceRESTClient(RESTConfig(protocol="v1"))
    said = {
        "live": await client.is_server_live(url, headers={"Accept": "application/json"}),
        "ready": await client.is_model_ready(url, "digits8"),
        "nothing ready": await refusal(client.is_model_ready(url, "nothing")),
        "predict": await client.infer(url, {"instances": images}, model_name="digits8"),
        "packed": await client.infer(url, {"instances": [{"b64": image} for image in packed]}, model_name="digits8"),
        "refused": await refusal(client.infer(url, {"instances": [[1, 2]]}, model_name="digits8")),
        "explain": await refusal(client.explain(url, "digits8", {"instances": images})),
    }
    await client.close()
    return said


if __name__ == "__main__":
    json.dump(asyncio.run(ask(**json.load(sys.stdin))), sys.stdout)
