"""The built wheel carries its data, and the set-up scripts do their work once."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def run(*command: str | Path, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(part) for part in command], cwd=cwd, env=os.environ | environment, capture_output=True, text=True
    )


def succeed(*command: str | Path, cwd: Path) -> str:
    done = run(*command, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The interpreter of a clean environment with the wheel of the sdist of this tree: no clone on its path."""
    folder = tmp_path_factory.mktemp("install")
    succeed(sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", folder, cwd=ROOT)
    [sdist] = folder.glob("*.tar.gz")
    succeed("tar", "-xzf", sdist, cwd=folder)
    source = folder / sdist.name.removesuffix(".tar.gz")
    succeed(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder, cwd=source)
    [wheel] = folder.glob("*.whl")
    environment = folder / "environment"
    succeed(sys.executable, "-m", "venv", "--without-pip", environment, cwd=folder)
    python = environment / "bin" / "python"
    succeed(sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index", wheel, cwd=folder)
    # The dependencies come from the environment that runs the tests. A path file named in another path file is not
    # read, so an editable ffshare there stays out of sight.
    site = Path(succeed(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=folder))
    (site / "dependencies.pth").write_text("\n".join({sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}))
    return python


@pytest.mark.parametrize("kind", ["rules", "molecules"])
def test_the_installed_wheel_finds_all_of_its_data(installed, kind):
    code = f"from ffshare.data_files import data_directory; print(data_directory({kind!r}))"
    found = Path(succeed(installed, "-I", "-c", code, cwd=installed.parent))
    assert found.is_relative_to(installed.parent.parent)
    assert contents(found) == contents(ROOT / kind)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_installed_command_runs(installed):
    help_text = succeed(installed.parent / "ffshare", "--help", cwd=installed.parent)
    assert "assign" in help_text
    assert "count" in help_text


def test_the_installed_wheel_knows_its_version(installed):
    version = succeed(installed, "-I", "-c", "import ffshare; print(ffshare.__version__)", cwd=installed.parent)
    assert f'version = "{version}"' in (ROOT / "pyproject.toml").read_text()


def test_every_dependency_of_every_extra_is_pinned():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = [*project["dependencies"], *(line for extra in project["optional-dependencies"].values() for line in extra)]
    named = {re.match(r"[A-Za-z0-9-]+", line)[0] for line in lines} - {"ffshare"}
    pinned = re.findall(r"^([a-z0-9-]+)==", (ROOT / "constraints.txt").read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert named <= set(pinned)


def test_the_citation_names_the_version():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert f"\nversion: {project['version']}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")


@pytest.fixture
def clone(tmp_path):
    """A tree with the set-up scripts, whose interpreter only notes calls of pip, in the file `calls`."""
    for name in ("scripts", "pyproject.toml", "constraints.txt"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tmp_path / name)
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(
        "#!/usr/bin/env bash\n"
        f'if [[ "$1 $2" == "-m pip" ]]; then echo "${{@: -1}}" >> "{tmp_path}/calls"; exit "${{PIP_STATUS:-0}}"; fi\n'
        f'exec "{sys.executable}" "$@"\n'
    )
    python.chmod(0o755)
    return tmp_path


def set_up(clone: Path, *extras: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return run("bash", "-c", 'source scripts/setup-venv; setup_venv "$@"', "bash", *extras, cwd=clone, **environment)


def calls(clone: Path) -> list[str]:
    return (clone / "calls").read_text().split()


def test_a_second_set_up_installs_nothing(clone):
    for _ in range(2):
        assert set_up(clone, "openff").returncode == 0
    assert calls(clone) == [".[openff]"]


def test_the_set_up_of_the_tests_adds_to_that_of_quickstart_and_is_kept_by_it(clone):
    for extras in (["openff"], ["all", "dev"], ["openff"], ["all", "dev"]):
        assert set_up(clone, *extras).returncode == 0
    assert calls(clone) == [".[openff]", ".[openff,all,dev]"]


def test_quickstart_adds_nothing_to_the_set_up_of_the_tests(clone):
    for extras in (["all", "dev"], ["openff"]):
        assert set_up(clone, *extras).returncode == 0
    assert calls(clone) == [".[all,dev]"]


@pytest.mark.parametrize("name", ["constraints.txt", "pyproject.toml"])
def test_new_requirements_are_installed_with_all_extras_so_far(clone, name):
    assert set_up(clone, "all", "dev").returncode == 0
    with (clone / name).open("a") as file:
        file.write("# changed\n")
    assert set_up(clone, "openff").returncode == 0
    assert calls(clone) == [".[all,dev]"] * 2


def test_a_set_up_that_failed_is_done_again(clone):
    failed = set_up(clone, "openff", PIP_STATUS="1")
    assert failed.returncode == 1
    assert "The installation failed" in failed.stderr
    assert set_up(clone, "openff").returncode == 0
    assert calls(clone) == [".[openff]"] * 2


def test_without_a_usable_python_the_scripts_say_which_is_needed(clone):
    shutil.rmtree(clone / ".venv")
    for script in ("quickstart", "test"):
        failed = run("bash", clone / "scripts" / script, cwd=clone.parent, PYTHON="false")
        assert failed.returncode == 1
        assert "No usable Python among: false" in failed.stderr
        assert "needs Python 3.11, 3.12 or 3.13 with its venv and pip modules" in failed.stderr


def test_an_environment_of_an_unsupported_python_is_not_touched(clone):
    python = clone / ".venv" / "bin" / "python"
    python.write_text("#!/usr/bin/env bash\nif [[ $1 == --version ]]; then echo Python 3.9.1; fi\n[[ -z $2 ]]\n")
    failed = set_up(clone, "openff")
    assert failed.returncode == 1
    assert ".venv holds Python 3.9.1; ffshare needs 3.11, 3.12 or 3.13" in failed.stderr
