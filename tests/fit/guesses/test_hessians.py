"""Hessians on disk."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ffshare.data_files import data_directory
from ffshare.errors import InputError
from ffshare.fit import read_reference
from ffshare.fit.guesses import read_hessians

WATER = "[O:1]([H:2])[H:3]"


def written(path, **changes):
    columns = {"smiles": [WATER], "coords": [np.arange(9.0)], "hessian": [np.arange(81.0)], **changes}
    pq.write_table(pa.table({name: values for name, values in columns.items() if values is not None}), path)
    return path


def test_rows_come_back_in_shape(tmp_path):
    [(smiles, (coords, hessian))] = read_hessians(written(tmp_path / "a.parquet")).items()
    assert smiles == WATER
    np.testing.assert_array_equal(coords, np.arange(9.0).reshape(3, 3))
    np.testing.assert_array_equal(hessian, np.arange(81.0).reshape(9, 9))
    assert not hessian.flags.writeable


def test_the_shipped_hessians_are_those_of_the_shipped_molecules():
    hessians = read_hessians("gfn2-hessians")
    reference = read_reference(data_directory("reference") / "gfn2.parquet")
    assert set(hessians) == {molecule.smiles for molecule in reference.molecules}
    for coords, hessian in list(hessians.values())[::50]:
        np.testing.assert_allclose(hessian, hessian.T, atol=2e-3)
        # Moving all atoms alike costs nothing, to within the error of finite differences.
        shift = np.tile(np.eye(3), (len(coords), 1))
        assert np.abs(hessian @ shift).max() < 0.01 * np.abs(hessian).max()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hessian": None}, "hessian"),
        ({"coords": [np.arange(8.0)]}, "row 1 has 8 coordinates and 81 second derivatives"),
        ({"hessian": [np.arange(80.0)]}, "row 1 has 9 coordinates and 80 second derivatives"),
        ({"hessian": [np.full(81, np.nan)]}, "expected finite numbers"),
        ({"coords": pa.array([None], pa.list_(pa.float64()))}, "row 1 has an empty cell"),
        (
            {"smiles": [WATER] * 2, "coords": [np.arange(9.0)] * 2, "hessian": [np.arange(81.0)] * 2},
            "row 2 names .* again",
        ),
    ],
)
def test_rows_that_are_no_hessian_are_refused(tmp_path, changes, message):
    with pytest.raises(InputError, match=message):
        read_hessians(written(tmp_path / "a.parquet", **changes))


def test_files_that_cannot_be_read_are_named(tmp_path):
    for name in ("absent.parquet", "no-such-shipped-file"):
        with pytest.raises(InputError, match=f"{name}.*cannot be read"):
            read_hessians(name if "." not in name else tmp_path / name)
    (tmp_path / "text.parquet").write_text("no table")
    with pytest.raises(InputError, match="cannot be read as Hessians"):
        read_hessians(tmp_path / "text.parquet")
