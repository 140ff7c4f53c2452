"""Asks through `tritonclient`, synchronously and asynchronously, everything that a Triton user would. Runs in its own environment."""

import asyncio
import json
import sys
import time

import numpy as np
import tritonclient.http as triton
import tritonclient.http.aio as triton_aio
from tritonclient.utils import InferenceServerException

TENSORS = ("probabilities", "embedding", "label", "id")


def tensors(result):
    found = {name: result.as_numpy(name) for name in TENSORS}
    return {
        name: np.char.decode(array.astype(bytes)) if array.dtype == object else array for name, array in found.items() if array is not None
    }


def plain(result):
    return {name: array.tolist() for name, array in tensors(result).items()}


def given(module, rows, dtype="FP32", binary=True):
    tensor = module.InferInput("image", list(rows.shape), dtype)
    tensor.set_data_from_numpy(rows, binary_data=binary)
    return [tensor]


def refusal(call):
    try:
        call()
    except InferenceServerException as error:
        return {"status": error.status(), "message": error.message()}
    return None


def ask(url, images, token):
    rows = np.array(images, np.float32)
    client = triton.InferenceServerClient(url)
    said = {
        "live": client.is_server_live(),
        "ready": client.is_server_ready(),
        "model ready": client.is_model_ready("digits8") and client.is_model_ready("digits8", "1"),
        "other version ready": client.is_model_ready("digits8", "2"),
        "server": client.get_server_metadata(),
        "metadata": client.get_model_metadata("digits8", "1"),
        "config": client.get_model_config("digits8"),
        "index": client.get_model_repository_index(),
    }
    said["unpacked"] = plain(client.infer("digits8", given(triton, rows)))
    said["json"] = plain(client.infer("digits8", given(triton, rows, binary=False)))
    said["uint8"] = plain(client.infer("digits8", given(triton, rows.astype(np.uint8), "UINT8")))
    said["fp16"] = plain(client.infer("digits8", given(triton, rows.astype(np.float16), "FP16")))
    said["version"] = plain(client.infer("digits8", given(triton, rows), model_version="1", request_id="77", timeout=5_000_000))
    for coding in ("gzip", "deflate"):
        packed = {"request_compression_algorithm": coding, "response_compression_algorithm": coding}
        said[coding] = plain(client.infer("digits8", given(triton, rows), **packed))
    said["asynchronous"] = plain(client.async_infer("digits8", given(triton, rows)).get_result())
    outputs = [triton.InferRequestedOutput("label", binary_data=False), triton.InferRequestedOutput("probabilities", binary_data=True)]
    some = client.infer("digits8", given(triton, rows), outputs=outputs, request_id="some")
    said["some"], said["some response"] = plain(some), some.get_response()
    top = client.infer("digits8", given(triton, rows), outputs=[triton.InferRequestedOutput("probabilities", class_count=3)])
    said["top"] = plain(top)
    said["refused"] = {
        "model": refusal(lambda: client.infer("nothing", given(triton, rows))),
        "shape": refusal(lambda: client.infer("digits8", given(triton, rows[:, :4]))),
        "not finite": refusal(lambda: client.infer("digits8", given(triton, rows * np.nan))),
        "unload": refusal(lambda: client.unload_model("digits8")),
        "config": refusal(lambda: client.load_model("digits8", {"Authorization": f"Bearer {token}"}, config="{}")),
    }
    time.sleep(0.5)  # the workers count what they noted four times a second
    said["statistics"] = client.get_inference_statistics("digits8")["model_stats"][0]
    client.unload_model("digits8", {"Authorization": f"Bearer {token}"})
    said["unloaded"] = [client.is_model_ready("digits8") for _ in range(20)]
    said["index unloaded"] = client.get_model_repository_index()
    said["refused"]["unloaded"] = refusal(lambda: client.infer("digits8", given(triton, rows)))
    client.load_model("digits8", {"Authorization": f"Bearer {token}"})
    said["loaded"] = [client.is_model_ready("digits8") for _ in range(20)]
    client.close()
    return said


async def ask_aio(url, images):
    rows = np.array(images, np.float32)
    async with triton_aio.InferenceServerClient(url) as client:
        results = await asyncio.gather(*(client.infer("digits8", given(triton_aio, rows[i : i + 1])) for i in range(len(rows))))
        packed = await client.infer("digits8", given(triton_aio, rows), response_compression_algorithm="gzip")
        return {
            "live": await client.is_server_live(),
            "metadata": await client.get_model_metadata("digits8"),
            "one by one": [plain(result) for result in results],
            "packed": plain(packed),
        }


if __name__ == "__main__":
    arguments = json.load(sys.stdin)
    said = ask(arguments["url"], arguments["images"], arguments["token"])
    said["aio"] = asyncio.run(ask_aio(arguments["url"], arguments["images"]))
    json.dump(said, sys.stdout)
