"""Plots: which curves they hold, and what they refuse."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

import pymars as earth
from pymars.cli import main
from pymars.errors import InvalidArgumentError, InvalidDataError, ShapeMismatchError
from pymars.plots import plot_features, plot_selection

RNG = np.random.default_rng(5)
X = RNG.uniform(size=(200, 4))
Y = np.abs(X[:, 1] - 0.4) + X[:, 3] * (X[:, 3] > 0.5) + 0.05 * RNG.normal(size=200)
MODEL = earth.Earth().fit(X, Y)


def test_each_feature_in_use_has_a_panel_with_the_replayed_curve() -> None:
    figure = plot_features(MODEL, X)
    assert [axes.get_xlabel() for axes in figure.axes] == ["x1", "x3"]
    (line,) = figure.axes[0].lines
    where, shown = line.get_data()
    assert (where.min(), where.max()) == (X[:, 1].min(), X[:, 1].max())
    # x0 and x2 are not in the model, so any value will do.
    rows = np.column_stack([where * 0, where, where * 0, where * 0 + np.median(X[:, 3])])
    assert np.array_equal(shown, MODEL.predict(rows))


def test_a_category_is_drawn_as_points_under_its_labels() -> None:
    group = pd.Categorical(np.where(X[:, 0] > 0.5, "high", "low"))
    table = pd.DataFrame({"x": X[:, 1], "group": group})
    model = earth.Earth().fit(table, X[:, 1] + (group == "high"))
    figure = plot_features(model, table)
    panel = next(axes for axes in figure.axes if axes.get_xlabel() == "group")
    assert [text.get_text() for text in panel.get_xticklabels()] == ["high", "low"]
    assert len(panel.lines[0].get_xdata()) == 2


def test_a_parent_counts_as_used() -> None:
    y = np.maximum(0, X[:, 0] - 0.3) * np.maximum(0, X[:, 2] - 0.3)
    model = earth.Earth(max_degree=2).fit(X, y)
    assert {"x0", "x2"} <= {axes.get_xlabel() for axes in plot_features(model, X).axes}


def test_several_responses_share_a_panel() -> None:
    model = earth.Earth().fit(X, np.column_stack([Y, -Y]))
    figure = plot_features(model, X)
    assert all(len(axes.lines) == 2 for axes in figure.axes)
    assert [t.get_text() for t in figure.axes[0].get_legend().get_texts()] == ["y0", "y1"]


def test_the_chosen_size_is_marked() -> None:
    (axes,) = plot_selection(MODEL).axes
    sizes, gcv = axes.lines[0].get_data()
    assert sizes[np.argmin(gcv)] == len(MODEL.basis_) == axes.lines[1].get_xdata()[0]
    assert min(gcv) == pytest.approx(MODEL.gcv_)


def test_what_cannot_be_drawn_is_refused() -> None:
    with pytest.raises(ShapeMismatchError, match="X has 3 columns, the model has 4"):
        plot_features(MODEL, X[:, :3])
    with pytest.raises(InvalidDataError, match="x1 has no finite value"):
        plot_features(MODEL, np.full((3, 4), np.nan))
    constant = MODEL.get_model_spec() | {"terms": [{"kind": "constant", "coefficients": [2.0]}]}
    with pytest.raises(InvalidArgumentError, match="the model is a constant"):
        plot_features(constant, X)
    loaded = earth.Earth.from_model(MODEL.get_model_spec())
    with pytest.raises(InvalidArgumentError, match="no record of a fit"):
        plot_selection(loaded)


def test_without_matplotlib_the_command_to_run_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(InvalidArgumentError, match=r"install 'mars-earth\[plots\]'"):
        plot_features(MODEL, X)


def test_the_command_line_draws_what_the_suffix_says(tmp_path: Path) -> None:
    model, data = tmp_path / "model.json", tmp_path / "data.csv"
    earth.save_model(MODEL, model)
    np.savetxt(data, X, delimiter=",", header="x0,x1,x2,x3", comments="")
    for name, start in {"a.svg": b"<?xml", "a.PNG": b"\x89PNG", "a.pdf": b"%PDF"}.items():
        arguments = ["plot", str(model), str(data), "-o", str(tmp_path / name)]
        done = CliRunner().invoke(main, arguments)
        assert done.exit_code == 0, done.output
        assert (tmp_path / name).read_bytes().startswith(start)
    done = CliRunner().invoke(main, ["plot", str(model), str(data), "-o", str(tmp_path / "a.txt")])
    assert done.exit_code == 2
    assert "a.txt: no figure can be written: " in done.output
    assert not (tmp_path / "a.txt").exists()
