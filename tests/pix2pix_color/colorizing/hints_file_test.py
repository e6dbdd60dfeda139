"""Color hints are read from JSON; whatever is wrong is named in one line."""

import json

import numpy as np
import pytest

from data_pipelines.errors import UserError
from pix2pix_color.colorizing import hints_file


def read(tmp_path, content):
    path = tmp_path / "old.hints.json"
    path.write_text(content if isinstance(content, str)
                    else json.dumps(content))
    return hints_file.read_hints(str(path), height=100, width=200)


def test_places_are_centers_of_pixels_and_colors_have_no_lightness(tmp_path):
    hints = read(tmp_path, [{"x": 0, "y": 99, "color": "#ff0000"},
                            {"x": 20.5, "y": 10, "color": "navy"},
                            {"x": 199, "y": 0, "color": "white"}])
    # Colors are those of scikit-image's rgb2lab.
    np.testing.assert_allclose(hints, np.array([
        [0.995, 0.0025, 80.1, 67.2], [0.105, 0.105, 47.5, -64.7],
        [0.005, 0.9975, 0, 0]]), atol=0.2, rtol=1e-5)
    assert hints.dtype == np.float32
    assert read(tmp_path, []).shape == (0, 4)


@pytest.mark.parametrize("content, message", [
    ("nothing", "old.hints.json is not JSON"),
    ({"x": 1}, "must be a list of"),
    ([{"x": 1, "y": 1}], "hint 1 must have x, y and color"),
    ([{"x": 1, "y": 1, "color": "red"}, {"x": 200, "y": 1, "color": "red"}],
     "hint 2 has x=200, which must be in 0..199: the photograph has 200 x 100"),
    ([{"x": 1, "y": -1, "color": "red"}], "hint 1 has y=-1"),
    ([{"x": True, "y": 1, "color": "red"}], "hint 1 has x=True"),
    ([{"x": float("nan"), "y": 1, "color": "red"}], "hint 1 has x=nan"),
    ([{"x": 1, "y": 1, "color": "reddish"}],
     "hint 1 has the unknown color 'reddish'; use #rrggbb"),
    ([{"x": 1, "y": 1, "color": 7}], "hint 1 has the unknown color 7")])
def test_wrong_hints_are_refused_in_one_line(tmp_path, content, message):
    with pytest.raises(UserError, match=message) as error:
        read(tmp_path, content)
    assert "\n" not in str(error.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match="none.json: No such file"):
        hints_file.read_hints(str(tmp_path / "none.json"), height=1, width=1)
