"""Fit a model, store it, load it, and compare the replay with the fitted model."""

import numpy as np

import pymars as earth

rng = np.random.default_rng(0)
rows = rng.uniform(-1.0, 1.0, size=(200, 2))
target = np.maximum(0.0, rows[:, 0]) - 2.0 * np.maximum(0.0, 0.25 - rows[:, 1])

fitted = earth.Earth(max_degree=1).fit(rows, target)
earth.save_model(fitted, "model.json")
replayed = earth.predict(earth.load_model("model.json"), rows)

assert np.array_equal(replayed, fitted.predict(rows)), "the replay differs from the fitted model"
assert float(np.mean((replayed - target) ** 2)) < 0.01 * float(np.var(target)), "the fit is poor"
print("ok")
