import io

import pytest
from tests.ledgers import CLAIM, START, recorded, verdict

from sonde.core.errors import SondeError
from sonde.ledger.exchange import export_runs, import_runs
from sonde.ledger.exchange.cells import COLUMNS
from sonde.ledger.exchange.markdown_table import read_table
from sonde.ledger.ledger import Ledger
from sonde.ledger.records import Measured, RunFilter, StageEnd, StageStart
from sonde.stats.interval import Interval

HEADER = f"| {' | '.join(COLUMNS)} |\n"


def row(run, status="novel", result="auroc=0.9", notes="", **cells):
    given = {"run id": run, "status": status, "result": result, "notes": notes, **cells}
    return "| " + " |\n".join(given.get(column, "-") for column in COLUMNS) + " |\n"


KEPT = (
    (
        row("eval-1", "reproduced", "VE=0.797, L0=83 | ~ok", "As `published`.", seed="n/a (eval)")
        + row("ctrl", "reproduced(control)", "acc=0.93 (CI [0.89,0.97])")
        + row("steer", "inconclusive", "diff=0.0", "SUPERSEDED by steer-v2. No headroom.", seed="7")
        + row("steer-v2", "inconclusive", "diff=-0.062", date="2026-06-23")
        + row("try (BUGGY)", "superseded", "acc=0.66", "SUPERSEDED by steer-v2-b, by a day.")
        + row("steer-v2-b", "novel", "acc=0.67", "Resolves try, resolved by itself.")
        + row(
            "big-ATTEMPT",
            "inconclusive (no result), RESOLVED by steer-v2 / steer-v2-b on the larger one",
            "NO RESULT, out of memory",
            "Too big.",
            model="google/gemma-2-2b",
            date="2026-06-21",
        )
    )
    .replace("~ok", "fine")
    .replace(" | fine", " \\| fine")
)


@pytest.fixture
def ledger(tmp_path):
    return Ledger.open(tmp_path / "ledger.sqlite")


def kept(tmp_path, text=KEPT, name="runs.md"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def exported(ledger, format="markdown", **filters):
    file = io.BytesIO()
    export_runs(ledger.engine, file, format=format, **filters)
    return file.getvalue().decode()


def cells(text):
    return read_table(text, COLUMNS, where="x")


def test_the_seeds_table_comes_back_row_for_row_and_cell_for_cell(shared_data, ledger):
    seed = shared_data.parent / "seeds" / "004_6ffc78e06207c13d.txt"
    if not seed.is_file():
        pytest.skip(f"the log is not at {seed}")
    lines = seed.read_text(encoding="utf-8").split("\n")
    by_hand = [
        tuple(line.removeprefix("| ").removesuffix(" |") for line in lines[begin : begin + 18])
        for begin in range(0, len(lines), 18)
    ]
    done = import_runs(ledger.engine, seed, "markdown")
    assert (len(done.new), done.there, done.notes) == (len(by_hand), 0, ())
    assert len(by_hand) == 21
    assert list(cells(exported(ledger))) == by_hand
    states = {run.name: (run.state, run.replaced_by) for run in ledger.list()}
    names = {run.name: run.id for run in ledger.list()}
    assert states.pop("ai-g2-7b-ATTEMPT") == ("resolved", names["ai-g2-sae-7b"])
    assert states.pop("ctrl-steer") == ("superseded", names["ctrl-steer-v2"])
    assert states.pop("saebench-custom-sae (v1, BUGGY)") == (
        "superseded",
        names["saebench-custom-sae-v2"],
    )
    assert set(states.values()) == {("done", None)}


def test_a_table_kept_by_hand_comes_back_cell_for_cell(tmp_path, ledger):
    done = import_runs(ledger.engine, kept(tmp_path))
    assert (len(done.new), done.notes) == (7, ())
    text = exported(ledger)
    assert cells(text) == cells(KEPT)
    assert text.startswith(HEADER)
    assert text.count("\n") == 9
    second = Ledger.open(tmp_path / "second.sqlite")
    import_runs(second.engine, kept(tmp_path, text, "again.md"))
    assert exported(second) == text


def test_statuses_of_the_table_become_states_and_statuses(tmp_path, ledger):
    import_runs(ledger.engine, kept(tmp_path))
    runs = {run.name: run for run in ledger.list()}
    assert {name: run.state for name, run in runs.items()} == {
        "eval-1": "done",
        "ctrl": "done",
        "steer": "superseded",
        "steer-v2": "done",
        "try (BUGGY)": "superseded",
        "steer-v2-b": "done",
        "big-ATTEMPT": "resolved",
    }
    assert runs["steer"].replaced_by == runs["steer-v2"].id
    assert runs["try (BUGGY)"].replaced_by == runs["steer-v2-b"].id
    attempt = ledger.show(runs["big-ATTEMPT"].id)
    assert [one.new for one in attempt.supersessions] == [
        runs["steer-v2-b"].id,
        runs["steer-v2"].id,
    ]
    assert attempt.results == ()
    assert attempt.run["model"] == "google/gemma-2-2b"
    assert attempt.run["started"].startswith("2026-06-21")
    (control,) = ledger.show(runs["ctrl"].id).results
    assert (control.status, control.status_why) == ("reproduced", "reproduced(control)")
    assert control.not_applicable == "acc=0.93 (CI [0.89,0.97])"
    assert runs["ctrl"].headline == "acc=0.93 (CI [0.89,0.97])"
    assert [run.name for run in ledger.list(RunFilter(text="as `published`"))] == ["eval-1"]


def test_importing_twice_adds_nothing(tmp_path, ledger):
    path = kept(tmp_path)
    import_runs(ledger.engine, path)
    before = exported(ledger)
    done = import_runs(ledger.engine, path)
    assert (done.new, done.there, done.notes) == ((), 7, ())
    assert exported(ledger) == before
    assert len(ledger.show(ledger.list()[0].id).supersessions) == 2


def test_a_row_that_changed_is_kept_beside_the_old_one_and_said(tmp_path, ledger):
    import_runs(ledger.engine, kept(tmp_path))
    changed = KEPT.replace("acc=0.67", "acc=0.70")
    done = import_runs(ledger.engine, kept(tmp_path, changed))
    assert (len(done.new), done.there) == (1, 6)
    (note,) = done.notes
    assert note.startswith("steer-v2-b: the ledger had run 6 of that id")


def test_what_is_superseded_later_is_said_in_the_table(tmp_path, ledger):
    import_runs(ledger.engine, kept(tmp_path))
    ledger.supersede(1, 4, "The hook point | was wrong.")
    first = dict(zip(COLUMNS, cells(exported(ledger))[0], strict=True))
    assert first["status"] == "reproduced, superseded by steer-v2"
    assert first["notes"] == "As `published`. Superseded by steer-v2: The hook point | was wrong."
    assert import_runs(ledger.engine, kept(tmp_path)).new == ()


def test_a_run_of_sondes_own_fills_the_cells(ledger):
    stages = {
        "texts": {"kind": "data", "path": "news.csv", "limit": 60},
        "acts": {"kind": "extract", "hooks": "resid_post", "layers": [3, 5], "data": "texts"},
        "truth": {"kind": "probe", "method": {"kind": "logistic"}},
    }
    run = recorded(
        ledger,
        resolved={"model": {"name": "tiny"}, "stages": stages},
        variant="seed=3",
        commit_hash="6a74c8f00000",
        dirty=True,
        hardware={"cpu": "Xeon", "cores": 2, "gpus": ["NVIDIA H100", "NVIDIA H100"]},
        facts={"width": "16k", "tokens": "10M"},
    )
    found = dict(zip(COLUMNS, cells(exported(ledger))[0], strict=True))
    assert found.pop("date") == ledger.show(run).run["started"][:10]
    assert found == {
        "run id": "first-1",
        "command": "sonde run first.yaml --set seed=3 [seed=3]",
        "commit": "6a74c8f and changes",
        "model": "tiny",
        "hook point": "blocks.{3,5}.resid_post",
        "kind": "probe (logistic)",
        "width": "16k",
        "sparsity/L0": "",
        "data": "news.csv[:60]",
        "tokens": "10M",
        "seed": "3",
        "hardware": "2 × NVIDIA H100",
        "time": "5.0 s",
        "cost": "",
        "result": "truth.selected logistic auroc 0.800 [0.700, –], n = 40 "
        "(controls: shuffled labels 0.500 [0.400, 0.600]; no baseline)",
        "status": "done",
        "notes": "Why <b>? chosen inside.",
    }


def test_tokens_are_those_that_stages_counted_or_the_plan(ledger):
    run = ledger.begin_run(START)
    for name, planned, state, summary in (
        ("acts", {"tokens": 1200}, "done", {}),
        ("more", {"tokens": 50}, "done", {"tokens": 34}),
        ("shut", {"tokens": 7000}, "failed", {}),
        ("truth", {"tokens": 0}, "done", {}),
    ):
        start = StageStart(name, "extract", name, "/x", planned=planned)
        ledger.end_stage(ledger.begin_stage(run, start), StageEnd(state, summary=summary))
    ledger.end_run(run, "done")
    recorded(ledger)
    rows = [dict(zip(COLUMNS, one, strict=True)) for one in cells(exported(ledger))]
    assert [one["tokens"] for one in rows] == ["1,234", ""]


def test_verdicts_statuses_and_costs_stand_in_the_table(ledger):
    (claim,) = ledger.register([CLAIM])
    run = recorded(ledger, purpose="smoke")
    ledger.resume_run(run)
    ledger.end_run(run, "done", seconds=4000.0, cost={"dollars": 0.33, "joules": 7200.0})
    other = recorded(ledger)
    ledger.record_verdicts(other, [verdict(claim.id)])
    ledger.set_status(ledger.show(other).results[0].id, "reproduced", "within 0.01")
    smoke, judged = (dict(zip(COLUMNS, one, strict=True)) for one in cells(exported(ledger)))
    assert smoke["notes"].startswith("Smoke run: no claim. ")
    assert (smoke["cost"], smoke["time"]) == ("$0.33, 2.0 Wh", "1 h 6 min")
    assert judged["status"] == "reproduced"
    assert "Claim readable confirmed, +0.200 [+0.100, +∞]: 0.2 is above 0.05." in judged["notes"]
    assert "truth.selected reproduced: within 0.01." in judged["notes"]


def test_of_a_sweep_the_chosen_result_is_written_out(ledger):
    score = Interval(0.5, 0.4, 0.6, 9)
    many = tuple(Measured(f"blocks.{layer}", "auroc", score) for layer in range(7))
    recorded(ledger, results=(*many, Measured("selected", "auroc", score, note="chosen")))
    recorded(ledger, results=many)
    recorded(ledger, results=())
    sweep, seven, nothing = cells(exported(ledger))
    at = COLUMNS.index("result")
    assert sweep[at] == (
        "truth.selected auroc 0.500 [0.400, 0.600], n = 9 (no control; no baseline); truth: 7 more"
    )
    assert sweep[-1] == "Why <b>? chosen."
    assert seven[at].startswith("truth.blocks.0 auroc")
    assert seven[at].endswith("; truth: 1 more")
    assert nothing[at] == "no result"


def test_runs_that_did_not_end_well_say_how(ledger):
    failed = recorded(ledger, state="failed", results=())
    done = recorded(ledger)
    ledger.supersede(failed, done, "more memory")
    found = dict(zip(COLUMNS, cells(exported(ledger))[0], strict=True))
    assert found["status"] == "failed, resolved by first-2"
    assert found["notes"] == "Why <b>? it broke. Resolved by first-2: more memory."


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (row(""), "a row has no run id"),
        (row("a") + row("a"), "2 rows have the run id 'a'"),
        ("nothing here", "holds no table of runs"),
    ],
)
def test_a_table_without_sound_ids_is_refused(text, said, tmp_path, ledger):
    with pytest.raises(SondeError, match=said):
        import_runs(ledger.engine, kept(tmp_path, text))
    assert ledger.list() == ()


def test_a_run_that_the_status_names_may_be_in_the_ledger_already(tmp_path, ledger):
    import_runs(ledger.engine, kept(tmp_path, row("new")))
    old = row("old", "superseded by new", "x") + row("lost", "superseded by gone", "x")
    done = import_runs(ledger.engine, kept(tmp_path, old))
    assert [run.state for run in ledger.list()] == ["done", "superseded", "done"]
    (note,) = done.notes
    assert note.startswith("lost was superseded by gone, which is neither in the file")


def test_a_circle_in_a_table_is_left_out(tmp_path, ledger):
    circle = row("a", "superseded by b", "x") + row("b", "superseded by a", "x")
    done = import_runs(ledger.engine, kept(tmp_path, circle))
    assert [run.state for run in ledger.list()] == ["done", "superseded"]
    assert done.notes == ("b and a would supersede each other, which is left out.",)
