"""Heavy libraries load in the command that needs them, not before."""

import subprocess
import sys

import pytest

import ffshare

HEAVY = {
    *("rdkit", "pyarrow", "scipy", "openff", "openmm", "pint", "torch", "sklearn", "dask"),
    *("matplotlib", "duckdb", "jinja2", "pydantic", "fastapi"),
}


def loaded_libraries(code: str) -> set[str]:
    """Top-level names in `sys.modules` after a fresh interpreter has run the code."""
    report = "import sys; print('loaded:', *sorted({name.partition('.')[0] for name in sys.modules}))"
    run = subprocess.run([sys.executable, "-c", f"{code}\n{report}"], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return set(run.stdout.rpartition("loaded:")[2].split())


def test_importing_ffshare_loads_no_library_at_all():
    assert loaded_libraries("import ffshare") & (HEAVY | {"numpy", "cyclopts", "rich"}) == set()


def test_the_help_of_the_command_line_loads_no_heavy_library():
    ask = "import sys, contextlib; sys.argv = ['ffshare', '--help']"
    code = f"{ask}\nfrom ffshare.cli import main\nwith contextlib.suppress(SystemExit):\n    main()"
    assert loaded_libraries(code) & HEAVY == set()


def test_every_public_name_loads_when_it_is_used():
    for name in ffshare.__all__:
        assert getattr(ffshare, name) is getattr(ffshare, name)
    assert set(ffshare.__all__) <= set(dir(ffshare))


def test_an_unknown_public_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'ffshare' has no attribute 'no_such_name'"):
        ffshare.no_such_name  # noqa: B018


def test_the_core_works_where_torch_is_not_installed():
    code = """
import sys
class NoTorch:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "sklearn", "mlxtend"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, NoTorch())
import importlib, pkgutil
import ffshare
from ffshare.errors import MissingDependencyError
for module in pkgutil.walk_packages(ffshare.__path__, "ffshare.", onerror=lambda name: None):
    if not module.name.startswith("ffshare.nn") and module.name not in ("ffshare.__main__", "ffshare.cli.nn"):
        importlib.import_module(module.name)
print(ffshare.load_scheme("alkethoh-smirks").assign(ffshare.from_smiles("CCO")).scheme)
try:
    import ffshare.nn
except (MissingDependencyError, ImportError) as error:
    print(error)
"""
    assert "torch" not in loaded_libraries(code)
