"""What is said of how an output was made."""

import hashlib
from types import SimpleNamespace

from ffshare.cli.provenance import checksums_by_name, provenance


def scheme(**checksums):
    return SimpleNamespace(name="a scheme", checksums=checksums)


def test_files_of_a_scheme_go_by_name_wherever_they_lie():
    assert checksums_by_name(scheme(**{"/here/a.offxml": "1", "/there/b.offxml": "2"})) == {
        "a.offxml": "1",
        "b.offxml": "2",
    }


def test_no_checksum_is_lost_where_two_files_have_one_name():
    files = {"/here/a.offxml": "1", "/there/a.offxml": "2", "/there/b.offxml": "3"}
    assert checksums_by_name(scheme(**files)) == {"/here/a.offxml": "1", "/there/a.offxml": "2", "b.offxml": "3"}


def test_every_file_of_a_directory_counts(tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "a.smi").write_bytes(b"C\n")
    (tmp_path / "b.smi").write_bytes(b"CC\n")
    found = provenance(scheme(), (str(tmp_path), "-"), {})["input_checksums"]
    assert found == {
        str(tmp_path / "b.smi"): hashlib.blake2b(b"CC\n", digest_size=16).hexdigest(),
        str(tmp_path / "deep" / "a.smi"): hashlib.blake2b(b"C\n", digest_size=16).hexdigest(),
        "-": None,
    }
