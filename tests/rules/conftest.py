"""Rule files written by the tests."""

import pytest

ROOT = '<SMIRNOFF version="0.3" aromaticity_model="OEAroModel_MDL">'


@pytest.fixture
def write_file(tmp_path):
    """Writes text or bytes to a file and gives its path."""

    def write(content, name="rules.offxml"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


@pytest.fixture
def write_sections(write_file):
    """Writes an offxml, each section on a line of its own from line 2 on, and gives its path."""

    def write(*sections, name="rules.offxml"):
        return write_file("\n".join([ROOT, *sections, "</SMIRNOFF>"]), name)

    return write
