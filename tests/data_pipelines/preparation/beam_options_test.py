"""Options of Apache Beam that are refused."""

import pytest

from data_pipelines.errors import UserError
from data_pipelines.preparation import beam_options


@pytest.mark.parametrize("value, message", [
    ("runner=NoSuchRunner", "^--beam_options: "),
    ("direct_num_workers=two", "^--beam_options: "),
    ("num_wrokers=2", "^--beam_options: Beam has no option 'num_wrokers'$")])
def test_wrong_options_of_beam_are_one_line(value, message):
    with pytest.raises(UserError, match=message) as caught:
        beam_options.parse_beam_options([value])
    assert "\n" not in str(caught.value).strip()
