"""`ffshare init`: the settings file that explains itself."""

from ffshare.fit import RunSettings, read_settings


def test_the_file_that_is_written_holds_the_defaults(cli, tmp_path):
    path = tmp_path / "run.yaml"
    done = cli("init", path)
    assert (done.status, done.err) == (0, "")
    assert done.out == f"{path} written; change what you need, then: ffshare fit {path}\n"
    assert read_settings(path) == RunSettings()


def test_without_a_name_the_file_is_run_yaml(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cli("init").status == 0
    assert (
        (tmp_path / "run.yaml")
        .read_text(encoding="utf-8")
        .startswith("# Settings of a fit. Run it with: ffshare fit run.yaml")
    )


def test_a_file_that_exists_is_not_replaced(cli, tmp_path):
    path = tmp_path / "run.yaml"
    path.write_text("mine")
    assert cli("init", path).fails(f"cannot write {path}: it exists already; choose another name, or remove it")
    assert path.read_text() == "mine"


def test_a_folder_that_does_not_exist_is_said(cli, tmp_path):
    assert cli("init", tmp_path / "none" / "run.yaml").fails("No such file or directory")
