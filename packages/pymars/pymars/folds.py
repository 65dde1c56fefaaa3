# Language policy: EXEMPT from the Rust-path rule. Draws fold numbers; the core fits the folds.
"""Draw the folds of a cross-validation."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from pymars.errors import InvalidArgumentError

__all__ = ["draw_folds"]


def draw_folds(
    responses: NDArray[np.float64], nfold: int, ncross: int, stratify: bool, random_state: Any
) -> NDArray[np.uint32]:
    """Draw one fold number per row for each repetition, as R earth does.

    Folds are as equal in size as they can be. With `stratify` the rows where a response is not 0
    are drawn again among themselves, response by response, so that each fold gets its share of
    every class.

    Parameters
    ----------
    responses : ndarray of shape (rows, responses)
    nfold, ncross : int
    stratify : bool
    random_state : int, RandomState or None

    Returns
    -------
    ndarray of shape (ncross, rows), uint32

    Examples
    --------
    >>> folds = draw_folds(np.ones((6, 1)), 3, 2, True, 0)
    >>> folds.shape, np.bincount(folds[0]).tolist()
    ((2, 6), [2, 2, 2])
    """
    rows = len(responses)
    if nfold < 2 or ncross < 1:
        raise InvalidArgumentError(
            f"nfold is {nfold} and ncross {ncross}; pmethod 'cv' needs 2 folds and 1 repetition "
            "or more"
        )
    if ncross > 1000:
        raise InvalidArgumentError(f"ncross is {ncross}; at most 1000 repetitions are made")
    nfold = min(nfold, rows)
    random = check_random_state(random_state)
    drawn = np.empty((ncross, rows), dtype=np.uint32)
    for groups in drawn:
        groups[:] = random.permutation(np.arange(rows) % nfold)
        if stratify:
            for column in responses.T:
                there = np.flatnonzero(column != 0)
                groups[there] = random.permutation(np.arange(len(there)) % nfold)
        if len(np.unique(groups)) < nfold:
            raise InvalidArgumentError(
                f"nfold is {nfold}, which leaves a fold without rows; use fewer, or stratify=False"
            )
    return drawn
