"""A model of MLServer that runs our ONNX file, so that MLServer can be asked what we are asked. Runs in its own environment."""

import onnxruntime
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse

NAMES = ("probabilities", "embedding")


class OnnxModel(MLModel):
    async def load(self):
        self.session = onnxruntime.InferenceSession(self.settings.parameters.uri)
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        (tensor,) = payload.inputs
        rows = NumpyCodec.decode_input(tensor).astype("float32")
        answers = self.session.run(list(NAMES), {tensor.name: rows})
        outputs = [NumpyCodec.encode_output(name, values) for name, values in zip(NAMES, answers, strict=True)]
        return InferenceResponse(model_name=self.name, id=payload.id, outputs=outputs)
