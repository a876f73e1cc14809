"""Files that appear whole or not at all."""

import pytest

from ffshare.errors import OutputError
from ffshare.whole_files import replacing, writing


@pytest.mark.parametrize("way", [replacing, writing])
def test_a_block_that_ends_well_replaces_what_was_there(way, tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("old")
    with way(path) as unfinished:
        unfinished.write_text("new")
        assert path.read_text() == "old"
        assert unfinished.parent == tmp_path
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("way", [replacing, writing])
def test_a_block_that_fails_leaves_what_was_there_and_nothing_else(way, tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt), way(path) as unfinished:  # noqa: PT012
        unfinished.write_text("half")
        raise KeyboardInterrupt
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_two_that_write_at_once_do_not_meet(tmp_path):
    path = tmp_path / "table.csv"
    with replacing(path) as first, replacing(path) as second:
        assert first != second
        first.write_text("first")
        second.write_text("second")
    assert path.read_text() == "first"  # which ended last
    assert list(tmp_path.iterdir()) == [path]


def test_what_the_system_refuses_names_the_file(tmp_path):
    path = tmp_path / "none" / "table.csv"
    message = r"cannot write .*table\.csv: No such file or directory; choose another name"
    with pytest.raises(OutputError, match=message), writing(path) as unfinished:
        unfinished.write_text("new")
    with pytest.raises(FileNotFoundError), replacing(path) as unfinished:
        unfinished.write_text("new")
