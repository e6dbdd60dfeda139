"""Runs as rows of a table."""

import pytest

from data_pipelines.errors import UserError
from experiments import table
from experiments.reporting import runs


def rows_of(*paths):
    lines = table.format_rows(runs.load_runs([str(path) for path in paths]))
    return [[cell.strip() for cell in line.strip("|").split("|")]
            for line in lines]


def test_a_row_holds_the_costs_and_results_of_a_run(make_run):
    head, _, first, second, gray = rows_of(
        make_run("first"), make_run("second", ab_l1=8.125))
    # 30 updates of 4 photographs, 40 an epoch, 8 a second.
    assert first[:5] == ["first", "3.0", "120", "0.2", "8.0"]
    of_run = dict(zip(head, first))
    assert of_run["ab_l1"] == "9.50 (7.00 to 12.50)"
    assert of_run["colorfulness gap"] == "12.00 (7.00 to 12.50)"
    assert dict(zip(head, second))["ab_l1"] == "8.12 (7.00 to 12.50)"
    assert gray[0] == "gray image"
    assert dict(zip(head, gray))["ab_l1"] == "1.50 (1.00 to 2.00)"
    assert len({len(row) for row in (head, first, second, gray)}) == 1


def test_the_command_prints_the_rows(make_run, capsys):
    path = make_run("run")
    table.main(["table", str(path)])
    assert [row.split("|")[1].strip() for row in
            capsys.readouterr().out.splitlines()] == [
                "run", "---", "run", "gray image"]
    with pytest.raises(UserError, match="no run was named"):
        table.main(["table"])


def test_a_metric_that_one_run_has_gets_a_column(make_run):
    head, _, plain, judged, gray = rows_of(
        make_run("plain"), make_run("judged", more=("agreement", "kl", "fid")))
    assert head[-3:] == ["agreement", "KL", "FID"]
    assert plain[-3:] == gray[-3:] == [""] * 3
    assert judged[-3:] == ["0.50"] * 3


def test_a_short_run_has_no_speed(make_run):
    _, _, row, _ = rows_of(make_run("short", steps=(10,), total=10))
    assert row[:5] == ["short", "1.0", "40", "", ""]


def test_an_unfinished_run_is_refused(make_run):
    path = make_run("going", total=50, is_finished=False)
    with pytest.raises(UserError, match="has not ended: it is at step 30 of "
                       "50"):
        rows_of(path)
