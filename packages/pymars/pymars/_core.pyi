"""Types of the compiled extension."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

__version__: str
SPEC_VERSION: str

class ArrowColumns:
    @property
    def names(self) -> list[str]: ...
    def column(self, j: int) -> tuple[NDArray[np.float64], list[str] | None]: ...

class ArrowBatch:
    def __arrow_c_schema__(self) -> object: ...
    def __arrow_c_array__(self, requested_schema: object = None) -> tuple[object, object]: ...

class ArrowStream:
    def __arrow_c_schema__(self) -> object: ...
    def __arrow_c_stream__(self, requested_schema: object = None) -> object: ...

class Model:
    @staticmethod
    def from_json(text: bytes) -> Model: ...
    def to_json(self) -> str: ...
    @property
    def warnings(self) -> list[str]: ...
    @property
    def feature_names(self) -> list[str]: ...
    @property
    def categories(self) -> list[list[str] | None]: ...
    @property
    def response_names(self) -> list[str]: ...
    @property
    def n_columns(self) -> int: ...
    @property
    def allow_missing(self) -> bool: ...
    def predict(
        self,
        x: NDArray[Any] | list[NDArray[Any]],
        threads: int,
        out: NDArray[np.float64] | None = None,
        copied: int = 0,
    ) -> NDArray[np.float64] | None: ...
    def predict_arrow(self, data: object, threads: int) -> ArrowBatch | ArrowStream: ...
    @property
    def link(self) -> str | None: ...
    def linear_predictor(
        self,
        x: NDArray[Any] | list[NDArray[Any]],
        threads: int,
        out: NDArray[np.float64] | None = None,
        copied: int = 0,
    ) -> NDArray[np.float64] | None: ...
    def design_matrix(
        self,
        x: NDArray[Any] | list[NDArray[Any]],
        threads: int,
        out: NDArray[np.float64] | None = None,
        copied: int = 0,
    ) -> NDArray[np.float64] | None: ...

def read_arrow(data: object) -> ArrowColumns: ...
def fit(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    weights: NDArray[np.float64] | None,
    features: list[tuple[str, list[str] | None]],
    responses: list[str],
    options: dict[str, Any],
    progress: Callable[[int, int, float], None] | None,
) -> tuple[
    Model,
    list[tuple[int, float, float]],
    list[tuple[int, float, float]],
    str,
    tuple[list[tuple[int, int, int, list[float]]], list[float]] | None,
]: ...
def refit(
    model: Model,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    weights: NDArray[np.float64] | None,
    family: str,
    link: str | None,
) -> tuple[Model, list[tuple[float, float, int, str]]]: ...
def gcv_path(
    r: NDArray[np.float64], z: NDArray[np.float64], rss: float, n: int, penalty: float
) -> NDArray[np.float64]: ...
def knot_scan(
    x: NDArray[np.float64],
    parent: NDArray[np.float64],
    frame: NDArray[np.float64],
    residual: NDArray[np.float64],
    knots: NDArray[np.float64],
) -> NDArray[np.float64]: ...
def error_catalogue() -> list[tuple[int, str]]: ...
def available_threads() -> int: ...
def replay_info() -> tuple[int, int, str, int, int, int] | None: ...
def threads_variable() -> str | None: ...
