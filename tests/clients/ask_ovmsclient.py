"""Asks through ovmsclient, OpenVINO's client of TensorFlow Serving's REST API. Runs in its own environment."""

import json
import sys

import numpy as np
from ovmsclient import make_http_client
from ovmsclient.tfs_compat.base.errors import ModelServerError


def refusal(call, *arguments):
    try:
        call(*arguments)
    except ModelServerError as error:
        return [type(error).__name__, str(error)]
    return None


def ask(url, images):
    rows = np.array(images, np.float32)
    client = make_http_client(url.removeprefix("http://"))
    return {
        "predict": client.predict({"image": rows}, "digits8").tolist(),
        "version": client.predict({"image": rows}, "digits8", 1).tolist(),
        "status": client.get_model_status("digits8"),
        "metadata": client.get_model_metadata("digits8"),
        "no such version": refusal(client.predict, {"image": rows}, "digits8", 7),
        "no such model": refusal(client.get_model_status, "nothing"),
        "no metadata": refusal(client.get_model_metadata, "nothing"),
        "another input": refusal(client.predict, {"picture": rows}, "digits8"),
        "another shape": refusal(client.predict, {"image": rows[:, :4]}, "digits8"),
    }


if __name__ == "__main__":
    json.dump(ask(**json.load(sys.stdin)), sys.stdout)
