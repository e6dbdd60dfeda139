"""Files that are written whole or not at all."""

import os

import pytest

from data_pipelines import files
from data_pipelines.errors import UserError


def test_content_replaces_an_earlier_file(tmp_path):
    path = tmp_path / "page.png"
    for content in (b"first", b"second"):
        files.write_atomically(str(path), content)
        assert path.read_bytes() == content
    assert os.listdir(tmp_path) == ["page.png"]


def test_the_file_appears_when_it_is_complete(tmp_path):
    path = tmp_path / "page.png"
    with files.replace_atomically(str(path)) as unfinished:
        with open(unfinished, "wb") as file:
            file.write(b"half")
        assert not path.exists()
        assert unfinished.startswith(str(path))
        assert unfinished.endswith(files.UNFINISHED)
    assert path.read_bytes() == b"half"


@pytest.mark.parametrize("error", [
    KeyboardInterrupt(), OSError(28, "No space left on device")])
def test_a_failure_leaves_the_earlier_file_alone(tmp_path, error):
    path = tmp_path / "page.png"
    path.write_bytes(b"mine")
    with pytest.raises(type(error)):
        with files.replace_atomically(str(path)) as unfinished:
            with open(unfinished, "wb") as file:
                file.write(b"half")
            raise error
    assert os.listdir(tmp_path) == ["page.png"]
    assert path.read_bytes() == b"mine"
    if isinstance(error, OSError):
        assert error.filename == str(path)


def test_an_error_names_the_file_that_was_asked_for(tmp_path):
    with pytest.raises(OSError) as caught:
        files.write_atomically(str(tmp_path / "no" / "page.png"), b"")
    assert caught.value.filename == str(tmp_path / "no" / "page.png")


@pytest.mark.parametrize("letter", ["a", "é", "字"])
def test_a_name_of_any_length_that_fits_can_be_written(tmp_path, letter):
    name = "xx" + letter * (253 // len(letter.encode()))
    assert len(name.encode()) > 250
    with files.replace_atomically(str(tmp_path / name)) as unfinished:
        assert os.path.basename(unfinished).encode()  # text, not half of one
        assert unfinished.endswith(files.UNFINISHED)
        with open(unfinished, "wb") as file:
            file.write(b"whole")
    assert (tmp_path / name).read_bytes() == b"whole"
    with pytest.raises(OSError, match="File name too long") as caught:
        files.write_atomically(str(tmp_path / (name + "xxxxxx")), b"")
    assert caught.value.filename == str(tmp_path / (name + "xxxxxx"))
    assert os.listdir(tmp_path) == [name]


def test_what_can_be_written_is_left_as_it_was(tmp_path):
    (tmp_path / "old.json").write_text("mine")
    for name in ("new.json", "old.json", "new/folder/new.json"):
        files.require_writable(str(tmp_path / name), flag="--output")
    for name in (".", "export/1"):
        files.require_writable(str(tmp_path / name), flag="--output_dir",
                               is_folder=True)
    assert os.listdir(tmp_path) == ["old.json"]
    assert (tmp_path / "old.json").read_text() == "mine"


@pytest.mark.parametrize("name, is_folder, message", [
    ("file/new.json", False, "cannot be written: Not a directory: .*/file"),
    ("file", True, "cannot be written: Not a directory: .*/file"),
    ("", False, "is a folder; name a file"),
    ("/proc/new/export", True, "cannot be written: .*: /proc")])
def test_what_cannot_be_written_is_refused_with_its_flag(
        tmp_path, name, is_folder, message):
    (tmp_path / "file").touch()
    path = os.path.join(tmp_path, name)
    with pytest.raises(UserError, match=f"^--output={path} {message}$"):
        files.require_writable(path, flag="--output", is_folder=is_folder)
