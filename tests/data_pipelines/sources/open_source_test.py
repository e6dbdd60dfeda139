"""Data specs: which source they open and which they do not."""

import pytest

from data_pipelines import sources
from data_pipelines.errors import UserError


@pytest.mark.parametrize("name", ["photos", "with: a colon"])
def test_folder_takes_all_behind_its_first_colon_for_the_folder(
        tmp_path, name):
    (tmp_path / name).mkdir()
    (tmp_path / name / "a.jpg").write_bytes(b"")
    spec = f"folder:{tmp_path / name}"
    opened = sources.open_source(spec, flag="--eval_data")
    assert list(opened.identities) == ["a.jpg"]
    assert opened.origin == f"--eval_data={spec}"
    assert opened.held_out == frozenset()


@pytest.mark.parametrize("spec, kind", [
    ("nosuch:thing", "nosuch"), ("/home/me/photos", "/home/me/photos"),
    ("", ""), (":x", ""), ("Folder:x", "Folder"), (" folder:x", " folder")])
def test_unknown_kind_is_refused_with_what_is_allowed(spec, kind):
    with pytest.raises(UserError) as caught:
        sources.open_source(spec, flag="--eval_data")
    message = str(caught.value)
    assert message.startswith(
        f"--eval_data={spec}: unknown kind of source {kind!r}; use ")
    assert "sample_photos" in message and "folder:DIR" in message


@pytest.mark.parametrize("spec, message", [
    ("folder:/no/such/folder", "^--eval_data=folder:/no/such/folder: "),
    ("folder", "^--eval_data=folder: there is no folder ''"),
    ("sample_photos:8", "^--eval_data=sample_photos:8: .*takes no argument"),
])
def test_message_begins_with_the_flag_and_the_spec(spec, message):
    with pytest.raises(UserError, match=message):
        sources.open_source(spec, flag="--eval_data")
