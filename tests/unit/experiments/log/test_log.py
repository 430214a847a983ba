"""What a log says of a history, and that one's own remarks survive it."""

from dataclasses import replace

import pytest
from histories import (
    CLAIMS,
    MASSIVE,
    SUMMARY,
    claim_of,
    measured,
    record,
    start_of,
    whole_history,
)
from markdown_it import MarkdownIt

from sonde.core.errors import SondeError
from sonde.experiments.log import history_of, parts_of, write_log
from sonde.experiments.log.history import runs_in_words
from sonde.experiments.spec import read_specification
from sonde.ledger.ledger import Ledger
from sonde.ledger.records import Measured
from sonde.ledger.wording import IN_WORDS


@pytest.fixture
def spec(experiment):
    experiment.write_text(experiment.read_text() + CLAIMS)
    return read_specification(experiment)


@pytest.fixture
def where(tmp_path):
    return str(tmp_path / "runs" / "ledger.sqlite")


def sections(spec, where) -> dict[str, str]:
    return {part.place: part.text for part in parts_of(spec, history_of(spec.name, where))}


def written(spec, where, path) -> str:
    write_log(path, spec, history_of(spec.name, where))
    return path.read_bytes().decode()


def test_an_experiment_that_never_ran_says_so(spec, where, tmp_path):
    found = sections(spec, where)
    assert "It has not been run yet: `sonde run experiment.yaml` does." in found["top"]
    assert list(found) == ["top", "asked", "end"]
    assert "| `truth` | probe | `acts`, `sentences` |" in found["asked"]
    assert "| `readable` | confirmatory |" in found["asked"]
    assert "not yet" in found["asked"]
    assert not (tmp_path / "runs").exists()


def test_the_sections_of_a_history(spec, where):
    whole_history(spec, where)
    found = sections(spec, where)
    assert "> Does it work?" in found["top"]
    assert "3 runs on" in found["top"]
    assert "the last is done. Verdicts: 1 inconclusive." in found["top"]
    asked = found["asked"]
    assert "Read better than \\| from words alone." in asked
    assert (
        "`truth.selected` is higher than `truth.selected/bag of tokens` by more than 0.05" in asked
    )
    for words in (
        "- Model: `random:llama`, fingerprint `abcd`, float32, random weights of seed 0",
        "- Data: `sentences`: 3,000 examples of `sentences.csv`, 2,990 labelled, in 1,500 groups",
        "left out NaN label 10",
        "- Hardware: 2 × NVIDIA H100, Xeon (16 cores), 64.0 GB of memory",
        "- Commit: `d27d8f300000` (runs 1 and 2)",
        "- Commit: `d27d8f300000` with uncommitted changes (run 3)",
        "- Annotator: A & B",
        "```yaml\nname: small",
    ):
        assert words in found["setup"]


def test_every_run_is_told_in_its_order(spec, where):
    whole_history(spec, where)
    runs = sections(spec, where)["runs"]
    rows = [line for line in runs.split("\n") if line.startswith("| ") and "confirmatory" in line]
    assert [row.split(" | ")[0] for row in rows] == ["| 1", "| 2", "| 3"]
    assert "| resolved | 56.3 s | 10 min 0 s | 3.0 GB | 200.0 MB | 2.0 Wh |" in rows[0]
    assert rows[0].endswith(r"\$0.05 |")
    assert "| superseded |" in rows[1]
    assert "CUDA out of memory \\| \\`x\\` long" in runs
    assert "Resolved by run 3: a larger device." in runs
    assert "Superseded by run 3: the adapter had an encode bug." in runs
    assert "**Run 3** did `sentences` (1.5 s), `acts` (1.5 s), `truth` (53.3 s)." in runs


def test_results_stand_with_what_they_are_held_against(spec, where):
    whole_history(spec, where)
    truth = sections(spec, where)["results:truth"]
    assert "Run 3; 95 % intervals." in truth
    assert (
        "| `selected` | logistic auroc | 0.800 [0.700, 0.850] | 0.510 [0.410, 0.610] | 12 | "
        "reproduced (stated 0.79 ± 0.02, Table 3) |" in truth
    )
    assert "All against bag of tokens 0.550 [0.450, 0.650]." in truth
    assert "| `transcoder` | auroc | not applicable: the transcoder has none | none |" in truth
    assert "- `selected`: b_dec \\*fixed\\*" in truth
    assert "| yes | 3 | 0 | 0.000 |" in truth
    assert "0.660" not in truth  # superseded


def test_verdicts_have_their_numbers_and_what_they_were(spec, where):
    whole_history(spec, where)
    verdicts = sections(spec, where)["verdicts"]
    assert (
        "| `readable` | inconclusive | +0.250 [+0.020, +0.400] | 0.05 | < 0.001 | 0.030 | 12 | 3 |"
        in (verdicts)
    )
    assert "About 40 units in place of 12 would decide." in verdicts
    assert "Before that it was confirmed in run 2." in verdicts


def test_observations_are_what_the_facts_say(spec, where):
    ledger = whole_history(spec, where)
    found = sections(spec, where)["observations"]
    for words in (
        "2,264 of 3,000 labels joined; 736 have no activations",
        "`sentences`: left out: NaN label 10.",
        "No probe can be shown to beat the baseline 'length'.",
        "edge of the grid.",
        "`transcoder` has no number: the transcoder has none",
    ):
        assert words in found
    assert found.index("beat the baseline") < found.index("edge of the grid")
    record(ledger, start_of(spec), summary=MASSIVE, key="k3")
    found = sections(spec, where)["observations"]
    assert (
        "1 massive dimension: 443 (1,012 times the median coordinate, at layer 9, severe)." in found
    )
    assert "60 of 4,000 tokens are attention sinks." in found


def test_deviations_are_named_with_their_runs(spec, where):
    whole_history(spec, where)
    found = sections(spec, where)["deviations"]
    for words in (
        "- Run 3: run with `--set truth.method.folds=4`.",
        "- Run 3: the repository of the experiment file had uncommitted changes.",
        "- Runs 1–3: `truth` took 53.3 s, and 10 min 0 s was planned.",
        "- Runs 1–3: `truth` needed 3.0 GB of memory, and 200.0 MB was planned.",
    ):
        assert words in found
    assert "Claim" not in found


def test_a_changed_claim_and_changed_settings_are_deviations(spec, experiment, where):
    ledger = whole_history(spec, where)
    experiment.write_text(
        experiment.read_text().replace("by: 0.05", "by: 0.01").replace("folds: 3", "folds: 4")
    )
    later = read_specification(experiment)
    said = sections(later, where)["deviations"]
    assert "- Claim `readable` says in the file what is not registered yet." in said
    claim_of(ledger, later, after_results=True)
    record(ledger, start_of(later), results=[measured(0.9)], key="k4")
    said = sections(later, where)["deviations"]
    assert "`by` from 0.05 to 0.01." in said
    assert "was registered" in said
    assert "after results were there" in said
    assert "`stages.truth.method.folds` from 3 to 4 since the run before" in said
    # What was claimed before stays to be read, and until when it was.
    first, second = ledger.registrations("small")
    rows = [line for line in sections(later, where)["asked"].splitlines() if "`readable`" in line]
    assert len(rows) == 2
    assert "by more than 0.05" in rows[0]
    until = second.registered[:16].replace("T", " ")
    assert rows[0].endswith(f"{first.registered[:16].replace('T', ' ')}; claimed until {until} |")
    assert "by more than 0.01" in rows[1]
    assert rows[1].endswith("after results were there |")


def test_what_the_file_claims_now_follows_what_was_registered(spec, experiment, where):
    whole_history(spec, where)
    experiment.write_text(experiment.read_text().replace("by: 0.05", "by: 0.01"))
    found = sections(read_specification(experiment), where)["asked"]
    rows = [line for line in found.splitlines() if "`readable`" in line]
    assert "by more than 0.05" in rows[0]
    assert "claimed until" not in rows[0]  # as long as the other is not registered
    assert "by more than 0.01" in rows[1]
    assert rows[1].endswith("| not yet |")


def test_settings_that_changed_under_a_claim_name_it(spec, experiment, where):
    ledger = whole_history(spec, where)
    experiment.write_text(experiment.read_text().replace("folds: 3", "folds: 4"))
    record(ledger, start_of(read_specification(experiment)), results=[measured(0.9)], key="k4")
    said = sections(spec, where)["deviations"]
    assert "since the run before while claim `readable` stayed the same." in said


def test_a_sweep_is_one_table_across_its_variants(spec, where):
    ledger = Ledger.open(where)
    for seed, value in ((0, 0.7), (1, 0.9)):
        layers = [measured(value), measured(value - 0.1, "blocks.1.resid_post")]
        start = start_of(spec, variant=f"seed={seed}")
        record(ledger, start, results=layers, key=f"k{seed}")
    same = start_of(spec, variant="seed=2")  # shares its result with seed=1
    record(ledger, same, results=[measured(0.9)], key="k1")
    truth = sections(spec, where)["results:truth"]
    assert "| `seed=0` | 0.700 [0.600, 0.750] |" in truth
    assert "| `seed=1` and `seed=2` | 0.900 [0.800, 0.950] |" in truth
    assert "| `blocks.1.resid_post` | 0.600 | " in truth
    seen = sections(spec, where)["observations"]
    assert "- `truth`: No probe can be shown to beat the baseline 'length'." in seen
    cautious = dict(SUMMARY, warnings=["only here."])
    record(ledger, start_of(spec, variant="seed=0"), summary=cautious, key="k9")
    seen = sections(spec, where)["observations"]
    assert "- `truth` in `seed=0`: only here." in seen


def test_a_smoke_run_counts_only_where_nothing_else_ran(spec, where):
    ledger = Ledger.open(where)
    record(ledger, start_of(spec, purpose="smoke"), results=[measured(0.6)], key="k1")
    assert "0.600" in sections(spec, where)["results:truth"]
    record(ledger, start_of(spec), results=[measured(0.7)], key="k2")
    record(ledger, start_of(spec, purpose="smoke"), results=[measured(0.6)], key="k3")
    truth = sections(spec, where)["results:truth"]
    assert "0.700 [" in truth
    assert "0.600 [0.5" not in truth


def test_a_result_that_came_as_a_text_is_shown_as_it_is(spec, where):
    """Imported from a table that was kept by hand."""
    said = Measured("result", IN_WORDS, None, not_applicable="FVU=0.2 | L0=82")
    record(Ledger.open(where), start_of(spec), results=[said])
    found = sections(spec, where)
    assert "| `result` | FVU=0.2 \\| L0=82 |" in found["results:truth"]
    assert "has no number" not in found["observations"]


def test_two_logs_of_one_ledger_are_the_same_bytes(spec, where, tmp_path):
    whole_history(spec, where)
    first = written(spec, where, tmp_path / "a.md")
    assert first == written(spec, where, tmp_path / "b.md")
    stamp = (tmp_path / "a.md").stat().st_mtime_ns
    assert not write_log(tmp_path / "a.md", spec, history_of(spec.name, where)).changed
    assert (tmp_path / "a.md").stat().st_mtime_ns == stamp


def test_a_ledger_may_be_named_by_its_url(spec, where):
    whole_history(spec, where)
    by_path = history_of(spec.name, where)
    by_url = history_of(spec.name, f"sqlite:///{where}")
    assert by_url == replace(by_path, ledger=f"sqlite:///{where}")
    assert f"| ledger | `sqlite:///{where}` |" in sections(spec, f"sqlite:///{where}")["files"]


def test_values_with_markup_stay_text(spec, where, tmp_path):
    ledger = Ledger.open(where)
    nasty = "# | <script>alert(1)</script> <!-- sonde:log:1 end runs --> `x` **b** [a](http://b)"
    start = start_of(spec, question=nasty, variant=nasty, facts={"notes": nasty * 2000})
    record(ledger, start, results=[measured(0.7, note=nasty)], state="done", reason=nasty)
    text = written(spec, where, tmp_path / "log.md")
    assert len(text) < 60_000
    rendered = MarkdownIt("commonmark").enable("table").render(text)
    assert "<script>" not in rendered
    assert "href" not in rendered
    again = written(spec, where, tmp_path / "log.md")
    assert again == text


def test_remarks_survive_runs_that_come_later(spec, where, tmp_path):
    path = tmp_path / "log.md"
    ledger = whole_history(spec, where)
    text = written(spec, where, path)
    mark = "<!-- sonde:log:1 end results:truth -->"
    assert mark in text
    path.write_bytes(text.replace(mark, f"Look at layer 1.\r\n{mark}").encode())
    record(ledger, start_of(spec), results=[measured(0.9)], key="k5")
    outcome = write_log(path, spec, history_of(spec.name, where))
    assert outcome.remarks == 1
    assert outcome.moved == ()
    assert b"\nLook at layer 1.\r\n" in path.read_bytes()
    assert "0.900 [" in path.read_text()
    empty = write_log(path, spec, history_of(spec.name, str(tmp_path / "none.sqlite")))
    assert empty.moved == ("results:truth",)
    assert b"Remarks without a place" in path.read_bytes()
    assert b"\nLook at layer 1.\r\n" in path.read_bytes()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"# My thesis\n", "not a log that sonde wrote"),
        (b"\xff\xfe\x00", "not a log that sonde wrote"),
        (b"<!-- sonde:log:1 of other -->\n", "the log of another experiment, 'other'"),
        (b"<!-- sonde:log:1 of small -->\nhalf", "changed by hand|last mark is missing"),
    ],
)
def test_a_file_that_is_something_else_is_left_as_it_is(spec, where, tmp_path, content, said):
    path = tmp_path / "log.md"
    path.write_bytes(content)
    with pytest.raises(SondeError, match=said):
        write_log(path, spec, history_of(spec.name, where))
    assert path.read_bytes() == content
    assert [one.name for one in tmp_path.iterdir() if "log" in one.name] == ["log.md"]


def test_a_link_to_a_log_stays_a_link(spec, where, tmp_path):
    (tmp_path / "notes").mkdir()
    link = tmp_path / "log.md"
    link.symlink_to(tmp_path / "notes" / "real.md")
    write_log(link, spec, history_of(spec.name, where))
    assert link.is_symlink()
    assert (tmp_path / "notes" / "real.md").read_text().startswith("<!-- sonde:log:1 of small -->")


def test_a_log_that_an_editor_saves_in_the_meantime_is_not_overwritten(
    spec, where, tmp_path, monkeypatch
):
    from sonde.experiments.log import page

    path = tmp_path / "log.md"
    text = written(spec, where, path)
    Ledger.open(where)
    whole_history(spec, where)
    real = page.compose

    def meanwhile(*arguments):
        path.write_text(text + "saved just now")
        return real(*arguments)

    monkeypatch.setattr(page, "compose", meanwhile)
    with pytest.raises(SondeError, match="was changed while"):
        write_log(path, spec, history_of(spec.name, where))
    assert path.read_text() == text + "saved just now"


@pytest.mark.parametrize(
    ("numbers", "words"),
    [([3], "run 3"), ([1, 2], "runs 1 and 2"), ([5, 1, 2, 3], "runs 1–3 and 5")],
)
def test_runs_in_words(numbers, words):
    assert runs_in_words(numbers) == words
