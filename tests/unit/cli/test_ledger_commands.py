from dataclasses import replace

import pytest
from tests.ledgers import CLAIM, START, recorded, scored, verdict, write_units

from sonde.cli.console import console
from sonde.cli.ledger_words import cut, visible
from sonde.cli.main import main
from sonde.ledger.ledger import Ledger
from sonde.ledger.records import Against, Measured, StageEnd, StageStart
from sonde.stats.interval import Interval

NASTY = "[bold]loud[/bold] \x1b[31mred\x1b[0m [/] \\"
COST = {
    "seconds": 130.0,
    "memory": 1_900_000_000,
    "disk": 130_000_000,
    "joules": None,
    "energy_of": "",
    "dollars": 0.33,
    "planned": {"seconds": 55.0, "memory": 2_100_000_000},
}


@pytest.fixture
def ledger(tmp_path, monkeypatch):
    monkeypatch.delenv("SONDE_LEDGER", raising=False)
    monkeypatch.chdir(tmp_path)
    return Ledger.open(tmp_path / "runs" / "ledger.sqlite")


@pytest.fixture
def run(capsys):
    """Run a command; return its exit code, and what it printed without the folds of lines."""

    def call(*arguments):
        with pytest.raises(SystemExit) as leaving:
            main(["ledger", *map(str, arguments)])
        said = capsys.readouterr()
        return leaving.value.code, " ".join((said.out + said.err).split())

    return call


@pytest.fixture
def screen(monkeypatch):
    """Set the width of the terminal."""
    return lambda width: monkeypatch.setattr(console, "_width", width)


def full(ledger, tmp_path, **changes):
    """Record a run with one of everything that is shown."""
    (claim,) = ledger.register([replace(CLAIM, experiment=changes.get("name", START.name))])
    folder = tmp_path / "stage"
    columns = {"series": ["s"] * 2, "unit": ["a", "b"], "predicted": [0.0, 1.0], "truth": [0.0] * 2}
    write_units(folder / "units.parquet", columns)
    chance = {"random direction": Against(Interval(0.55, 0.5, 0.6, 40))}
    words = {"bag of tokens": Against(Interval(0.61, 0.6, 0.7, 40))}
    scores = (
        Measured("selected", "auroc", Interval(0.912, 0.88, 0.941, 180), "logistic", chance, words,
                 "units.parquet", "s", "chosen inside the folds"),
        Measured("blocks.3", "auroc", None, not_applicable="one class only"),
        scored(0.7, "bare"),
    )  # fmt: skip
    run = ledger.begin_run(
        replace(START, hardware={"memory": 33_700_000_000, "gpus": []}, **changes)
    )
    stage = ledger.begin_stage(
        run, StageStart("news", "probe", "k1", str(folder), planned={"seconds": 10.0})
    )
    end = StageEnd("done", seconds=12.1, results=scores, folder=folder)
    ledger.end_stage(stage, end)
    ledger.end_run(run, "done", seconds=130.0, cost=COST)
    ledger.record_verdicts(run, [verdict(claim.id, post_hoc=True, advice="More data.")])
    ledger.set_status(ledger.show(run).results[0].id, "reproduced", "within 0.01 of 0.91")
    return run


@pytest.mark.parametrize("width", [80, 160])
def test_list_prints_a_run_a_line_with_what_its_result_lacks(
    ledger, tmp_path, run, width, monkeypatch
):
    monkeypatch.setattr(console, "_width", width)
    full(ledger, tmp_path)
    recorded(ledger, name="other", state="failed", results=(), purpose="smoke")
    recorded(ledger, results=(scored(0.7),))
    ledger.supersede(1, 3, "wrong")
    code, said = run("list")
    assert code == 0
    assert "news: auroc 0.912 [0.880, 0.941]" in said
    assert "failed, smoke" in said
    assert "it broke" in said
    assert "superseded by 3" in said
    for words in ("truth: auroc 0.700", "no control, no baseline"):
        assert words in said or width == 80  # folded there between other columns
    assert ("tiny" in said) == (width == 160)


def test_list_filters_and_sorts(ledger, run):
    for name, value in (("news-a", 0.9), ("news-b", 0.8), ("mood", 0.7)):
        recorded(ledger, name=name, results=(scored(value),))
    said = run("list", "--name", "news-*", "--sort", "value", "--reverse")[1]
    assert said.index("news-b") < said.index("news-a")
    assert "mood" not in said
    assert "mood" in run("list", "--limit", 1)[1]
    assert "--limit shows more" in run("list", "--limit", 1)[1]
    assert run("list", "--model", "gemma*") == (0, "No run matches.")
    for option in (["--sort", "valeu"], ["--state", "dne"], ["--since", "soon"]):
        assert run("list", *option)[0] == 2


def test_show_prints_controls_baselines_claims_plans_and_machines(ledger, tmp_path, run):
    full(ledger, tmp_path)
    ledger.supersede(1, recorded(ledger), "The hook point was wrong.")
    code, said = run("show", 1)
    assert code == 0
    for words in (
        "result value [interval] n status units",
        "news.selected logistic auroc 0.912 [0.880, 0.941] 180 superseded yes",
        "control: random direction 0.550 [0.500, 0.600] 40",
        "baseline: bag of tokens 0.610 [0.600, 0.700] 40",
        "news.blocks.3 auroc not applicable: one class only",
        "news.bare auroc 0.700 [0.600, 0.800] 40 superseded no no control no baseline",
        "news.selected: chosen inside the folds",
        "news.selected: within 0.01 of 0.91",
        "confirmed, post hoc +0.200 [+0.100, +∞] 40",
        "readable: It can be read. 0.2 is above 0.05. More data.",
        "2 min 10 s (planned 55.0 s), 1.9 GB of memory at the peak (planned 2.1 GB)",
        "news probe done 12.1 s 10.0 s k1",
        "memory 33.7 GB gpus none",
        "torch 2",
        "superseded by run 2",
        "The hook point was wrong.",
        "Experiment file as given name: first",
    ):
        assert words in said, words
    assert "takes the place of run 1" in run("show", 2)[1]
    assert run("show", 9) == (
        2,
        "Error: The ledger has no run 9. See them with `sonde ledger list`.",
    )


def test_a_claim_that_was_changed_late_is_marked(ledger, run):
    ledger.register([CLAIM])
    ledger.register([replace(CLAIM, hash="h2", after_results=True)])
    recorded(ledger)
    said = run("show", 1)[1]
    assert "after results, changed not judged by this run" in said
    assert said.count("not judged") == 1


@pytest.mark.parametrize("width", [80, 160])
def test_markup_and_control_characters_in_values_are_text(
    ledger, tmp_path, run, width, monkeypatch
):
    monkeypatch.setattr(console, "_width", width)
    full(ledger, tmp_path, name=NASTY, question=NASTY, variant=NASTY, spec_text=NASTY)
    ledger.supersede(1, recorded(ledger), NASTY)
    for command in (["list"], ["show", 1], ["compare", 1, 1]):
        code, said = run(*command)
        assert code == 0
        assert "\x1b" not in said
        assert "[bold]" in said.replace(" ", "")
    assert "‹1b›[31mred" in run("show", 1)[1].replace(" ", "")


def test_compare_says_what_differs(ledger, tmp_path, run):
    full(ledger, tmp_path)
    recorded(ledger, versions={"torch": "3"}, results=(scored(0.3, "other"),), seed=4)
    code, said = run("compare", 1, 2)
    assert code == 0
    assert "Versions A B torch 2 3" in said
    assert "No difference in settings, claims, changes by --set" in said
    assert "No result is in both runs." in said
    assert "Only in A: news.selected, news.blocks.3, news.bare. Only in B: truth.other." in said
    said = run("compare", 1, 1)[1]
    assert (
        "news.selected, auroc A 0.912 [0.880, 0.941] B 0.912 [0.880, 0.941] B − A = 0.000" in said
    )
    assert "A – B – One result" in said


def test_compare_writes_a_claim_in_one_row_and_no_names_of_columns(ledger, run, screen):
    screen(160)
    for by, path in ((0.05, "/x/a.yaml"), (0.1, "/x/b.yaml")):
        claim = {"statement": "So.", "by": by, "level": 0.9 + by}
        recorded(ledger, resolved={"claims": {"it": claim}}, spec_path=path)
    said = run("compare", 1, 2)[1]
    assert "Claims A B it by 0.05, level 0.95 by 0.1, level 1" in said
    assert "experiment file /x/a.yaml /x/b.yaml" in said
    assert "spec_path" not in said


def test_supersede_needs_a_reason_and_says_what_became_of_the_run(ledger, run):
    recorded(ledger, state="failed", results=())
    recorded(ledger)
    assert run("supersede", 1, 2)[0] == 2
    assert run("supersede", 1, 2, "--why", " ")[0] == 2
    assert run("supersede", 1, 2, "--why", "more memory") == (
        0,
        "Run 1 is now resolved by run 2: more memory",
    )


@pytest.mark.parametrize("ending", ["md", "csv", "parquet", "jsonl"])
def test_what_is_exported_can_be_imported(ledger, tmp_path, run, ending):
    full(ledger, tmp_path)
    recorded(ledger)
    file = f"runs.{ending}"
    assert run("export", file) == (0, f"Wrote 2 runs to {file}.")
    assert run("import", file) == (0, "Imported 0 runs, 2 runs were there already.")
    assert run("import", file, "--ledger", "new.sqlite") == (0, "Imported 2 runs: 1, 2.")
    assert run("export", "again", "--ledger", "new.sqlite", "--format", _format(ending))[0] == 0
    assert (tmp_path / "again").read_bytes() == (tmp_path / file).read_bytes()


def _format(ending):
    return "markdown" if ending == "md" else ending


def test_export_takes_the_filters_of_list_and_runs_by_number(ledger, run):
    for name in ("a", "b", "b"):
        recorded(ledger, name=name)
    assert run("export", "runs.csv", "--name", "b")[1] == "Wrote 2 runs to runs.csv."
    assert run("export", "runs.csv", "--run", 1, "--run", 3)[1] == "Wrote 2 runs to runs.csv."
    assert run("export", "runs.csv", "--name", "c")[1].startswith("Error: No run matches")
    assert run("export", "runs.csv", "--run", 4)[1].startswith("Error: No run 4 matches")
    assert run("export", "runs.txt")[1].startswith("Error: runs.txt does not say which format")
    assert run("export", "runs.md", "--units")[1].startswith("Error: The scores of units have no")
    assert run("export", "runs.md", "--format", "cvs")[1].endswith("parquet, jsonl.")


def test_export_prints_the_table_without_a_file(ledger, run):
    recorded(ledger)
    assert run("export")[1].startswith("| run id | date | command |")
    assert run("export", "--format", "jsonl")[1].startswith('{"version":1,"origin":"')


def test_import_says_what_it_left_out(ledger, tmp_path, run):
    (tmp_path / "x.jsonl").write_text("{}\n")
    assert run("import", "x.jsonl")[1].startswith("Error: x.jsonl, line 1 is not valid: origin is")
    assert run("import", "none.csv")[1] == "Error: none.csv does not exist."
    ledger.begin_run(START)
    run("export", "x.jsonl")
    code, said = run("import", "x.jsonl", "--ledger", "new.sqlite")
    assert code == 0
    assert said.startswith("- first-1 was still running when it was exported")
    assert said.endswith("Imported 0 runs.")


def test_verify_ends_with_1_where_an_artifact_changed(ledger, tmp_path, run):
    from sonde.core.files import sha256_file

    full(ledger, tmp_path)
    folder = tmp_path / "kept"
    folder.mkdir()
    (folder / "a.txt").write_text("one")
    number = ledger.begin_run(START)
    stage = ledger.begin_stage(number, StageStart("texts", "data", "k2", str(folder)))
    outputs = {"a.txt": sha256_file(folder / "a.txt")}
    ledger.end_stage(stage, StageEnd("done", outputs=outputs))
    assert run("verify") == (
        0,
        "1 files and 1 files of units in the ledger were hashed: all are as they were recorded.",
    )
    (folder / "a.txt").write_text("two")
    code, said = run("verify")
    assert code == 1
    assert said.startswith(f"- changed: {folder}/a.txt, of run 2 (recorded ")
    assert said.endswith("were hashed: 1 problem.")
    assert run("verify", 1)[0] == 0
    folder.rename(tmp_path / "moved")
    assert f"- missing: {folder}, of run 2 (1 files lay in it)" in run("verify")[1]
    run("export", "x.jsonl")
    code, said = run("verify", "--ledger", "new.sqlite")
    assert code == 2
    run("import", "x.jsonl", "--ledger", "new.sqlite")
    assert run("verify", "--ledger", "new.sqlite")[0] == 0


def test_texts_are_cut_and_made_visible():
    assert cut("a  b\nc", 9) == "a b c"
    assert cut("abcdef", 4) == "abc…"
    assert visible("a\x07\u202eb\tc\nd") == "a‹07›‹202e›b c\nd"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("list", "--limit", "-1"), "--limit -1 is not a number of runs. Write a whole number"),
        (("list", "--limit", "many"), "--limit many is not a number of runs. Write a whole number"),
        (("show", "small"), "'small' is not the number of a run. `sonde ledger list` shows them"),
        (("compare", "1", "0"), "'0' is not the number of a run."),
        (("export", "--run", "1.5"), "'1.5' is not the number of a run."),
    ],
)
def test_what_is_no_number_is_repeated_with_how_to_mend_it(ledger, run, arguments, said):
    code, words = run(*arguments)
    assert code == 2
    assert said in words
