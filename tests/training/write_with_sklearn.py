"""Writes models of scikit-learn as ONNX, each with what it answers and a reference. The argument is a folder."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import numpy as np
from skl2onnx import to_onnx
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from sklearn.ensemble import GradientBoostingRegressor, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

warnings.simplefilter("ignore")
folder = Path(sys.argv[1])
wine, cancer, diabetes = load_wine(), load_breast_cancer(), load_diabetes()
models = {
    "pipeline": (make_pipeline(StandardScaler(), LogisticRegression()), wine),
    "forest": (RandomForestClassifier(20, random_state=0), wine),
    "network": (make_pipeline(StandardScaler(), MLPClassifier((16,), max_iter=300, random_state=0)), cancer),
    "three": (make_pipeline(StandardScaler(), MLPClassifier((16, 8), max_iter=300, random_state=0)), wine),
    "boosted": (GradientBoostingRegressor(n_estimators=30, random_state=0), diabetes),
}
for name, (model, data) in models.items():
    x = data.data.astype(np.float32)
    model.fit(x[::2], data.target[::2])
    classes = {"classes": data.target_names} if hasattr(model, "predict_proba") else {}
    written = to_onnx(model, x[:1], options={"zipmap": False} if classes else None)
    Path(folder, f"{name}.onnx").write_bytes(written.SerializeToString())
    np.savez(folder / f"{name}.npz", x=x[1::2], y=data.target[1::2], **classes)
    answers = model.predict_proba(x) if classes else model.predict(x)[:, None]
    np.savez(folder / f"{name}-answers.npz", x=x, answers=answers)
with_words = to_onnx(models["forest"][0], wine.data[:1].astype(np.float32))
Path(folder, "zipmap.onnx").write_bytes(with_words.SerializeToString())
