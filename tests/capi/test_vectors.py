"""The frozen vectors and the hostile models, through the C library (H2, not claimed)."""

import ctypes
import json
import sys
from ctypes import c_char_p, c_size_t, c_ssize_t, c_uint32, c_void_p
from pathlib import Path

import numpy as np
import pytest
from ruamel.yaml import YAML

sys.path.insert(0, str(Path(__file__).parent))
from compiled import ROOT

CONFORMANCE = ROOT / "tests" / "conformance"
MANIFEST = json.loads((CONFORMANCE / "manifest.json").read_text())
HOSTILE = json.loads((CONFORMANCE / "hostile" / "expected.json").read_text())
FUZZ = ROOT / "tests" / "fuzz"
CORPUS = YAML(typ="safe").load(FUZZ / "limits.yaml")


class View(ctypes.Structure):
    """The fields of a table and of a buffer."""

    _fields_ = [
        ("size", c_size_t),
        ("data", c_void_p),
        ("length", c_size_t),
        ("rows", c_size_t),
        ("columns", c_size_t),
        ("row_stride", c_ssize_t),
        ("column_stride", c_ssize_t),
    ]


class Options(ctypes.Structure):
    """The fields of the options."""

    _fields_ = [("size", c_size_t), ("threads", c_uint32), ("reserved", c_uint32)]


def view(array):
    """Describe an array of two dimensions."""
    steps = [stride // 8 for stride in array.strides]
    size = ctypes.sizeof(View)
    return View(size, array.ctypes.data, array.size, *array.shape, *steps)


@pytest.fixture(scope="module")
def library(prefix):
    """The installed library."""
    loaded = ctypes.CDLL(str(prefix / "lib" / "libmars_earth.so"))
    loaded.mars_earth_status_name.restype = c_char_p
    loaded.mars_earth_model_free.argtypes = [c_void_p]
    return loaded


def load(library, text):
    """Load a model; return status, handle and message."""
    model, message = c_void_p(), ctypes.create_string_buffer(4096)
    status = library.mars_earth_model_load(
        c_char_p(text), c_size_t(len(text)), ctypes.byref(model), message, c_size_t(4096)
    )
    return status, model, message.value.decode()


def replay(library, model, what, rows, out, threads):
    """Replay rows and return the status."""
    options = Options(ctypes.sizeof(Options), threads, 0)
    seen = [ctypes.byref(given) for given in (view(rows), view(out), options)]
    return library.mars_earth_replay(model, c_uint32(what), *seen, None, c_size_t(0))


@pytest.mark.parametrize("path", list(MANIFEST["cases"]))
def test_every_vector_is_met_bit_for_bit(library, path):
    for case in json.loads((CONFORMANCE / path).read_text()):
        status, model, message = load(library, json.dumps(case["spec"]).encode())
        assert (status, message) == (0, "")
        names = [feature["name"] for feature in case["spec"]["features"]]
        rows = np.array(case["rows"], dtype=np.float64).reshape(-1, len(names))
        for what, expected in ((0, case["predictions"]), (2, case["design_matrix"])):
            expected = np.array(expected, dtype=np.float64)
            for order in "CF":
                for threads in (1, 2):
                    out = np.full(expected.shape, 7.0, order=order)
                    given = np.array(rows, order=order)
                    assert replay(library, model, what, given, out, threads) == 0
                    np.testing.assert_array_equal(out, expected)
        library.mars_earth_model_free(model)


@pytest.mark.parametrize("name", list(HOSTILE))
def test_every_hostile_model_is_refused_for_its_reason(library, name):
    status, model, message = load(library, (CONFORMANCE / "hostile" / name).read_bytes())
    assert library.mars_earth_status_name(status).decode() == HOSTILE[name]["category"]
    assert HOSTILE[name]["says"] in message
    assert not model


@pytest.mark.parametrize("name", list(CORPUS))
def test_every_document_of_the_corpus_meets_its_limit(library, name):
    status, model, _ = load(library, (FUZZ / "corpus" / "model" / name).read_bytes())
    assert library.mars_earth_status_name(status).decode() == CORPUS[name]["ends"]
    assert (status == 0) == bool(model)
    library.mars_earth_model_free(model)


def test_every_document_of_the_corpus_names_its_limit():
    assert {path.name for path in (FUZZ / "corpus" / "model").iterdir()} == set(CORPUS)
    assert all(row["limit"] for row in CORPUS.values())
