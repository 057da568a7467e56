"""Weights that let no slice of the data teach which label to expect of it."""

import numpy as np

from steelyard.errors import InputError
from steelyard.selection.class_balance import rescaled
from steelyard.types import Selection

VERSION = 1
"""Raised when weights of slices change without a change of settings."""


def balanced_by_slice(
    selection: Selection, slices: tuple[str, ...], strength: float = 1.0
) -> Selection:
    """The same labels, with larger weights for labels that are rare in their slice.

    With n_sk = sum of w_i t_i(k) over the rows i of slice s, the loss of a row of slice s becomes

        w_i sum_k t_i(k) c_sk CE(k),    c_sk proportional to n_sk^-strength,
        sum_sk n_sk c_sk = sum_sk n_sk

    so that the mean weight stays 1. With strength 1 all labels that a slice has get the same total
    weight, and labels are independent of slices where each slice has all of them. Labels are the
    weak ones: an error that the supervisors make in one slice is weighed up too. Rows that name no
    slice are a slice of their own.

    Args:
        selection: of a classification task.
        slices: (N,), the slice of each row.
        strength: in [0, 1]; 0 changes nothing.

    Raises:
        InputError: the rows have no slices.

    Source: Kamiran and Calders 2012, doi:10.1007/s10115-011-0463-8, section 5.3 (reweighing), here
        with equal weights of all slices and labels; Idrissi et al. 2022, arXiv:2110.14503.
    """
    if len(slices) != len(selection.ids):
        raise InputError(
            "`slice_balance`: the rows of strong_train have no slices; `data.slice` must be a "
            "column of the train rows too."
        )
    place = np.unique(np.array(slices), return_inverse=True)[1]
    counted = selection.weights[:, None] * selection.targets
    total = np.zeros((place.max() + 1, counted.shape[1]))
    np.add.at(total, place, counted)
    has = total > 0
    scale = np.zeros_like(total)
    scale[has] = total[has] ** -strength
    scale *= total.sum() / (total * scale).sum()
    return rescaled(selection, selection.targets * scale[place])
