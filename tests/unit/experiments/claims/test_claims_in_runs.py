"""Claims in real runs of a small model: registered before, judged after, shown everywhere."""

import pytest

from sonde.core.errors import SondeError
from sonde.experiments.claims.planned import planned_claims
from sonde.experiments.hardware import named_hardware
from sonde.experiments.planning import plan
from sonde.experiments.runner import Options, run
from sonde.experiments.spec import read_specification
from sonde.ledger.compare import compare
from sonde.ledger.ledger import Ledger

EXPERIMENT = """\
name: small
question: Does it work?
purpose: confirmatory
model: {name: "random:llama", check: false}
stages:
  sentences: {kind: data, path: sentences.csv}
  acts: {kind: extract, data: sentences, layers: [0], template: none}
  truth:
    kind: probe
    activations: acts
    labels: sentences
    method: {kind: mean_difference, folds: 3, shuffles: 2, directions: 2}
  page: {kind: report}
"""
CLAIMS = """\
claims:
  readable:
    statement: It can be <b>read</b> & more.
    kind: superiority
    mode: confirmatory
    of: truth.selected
    over: 0.5
    by: 0.05
"""


class Lab:
    """An experiment file that may be changed between runs into one folder."""

    def __init__(self, folder):
        self.folder, self.out = folder, folder / "runs"
        self.path = folder / "experiment.yaml"
        words = ("good", "kind", "bright"), ("bad", "cruel", "dull")
        rows = [
            f"i{n},Number {n} was {words[n % 2][n % 3]} today,{'ab'[n % 2]},p{n // 2}"
            for n in range(36)
        ]
        (folder / "sentences.csv").write_text("\n".join(["id,text,label,pair", *rows]) + "\n")
        self.said: list[str] = []

    def run(self, text=EXPERIMENT + CLAIMS, *overrides):
        self.path.write_text(text)
        spec = read_specification(self.path, overrides)
        return run(spec, Options(out=self.out, say=self.said.append, progress=False))

    def planned(self):
        spec = read_specification(self.path)
        return [
            {stage.name: stage.does for stage in one.stages}
            for one in plan(spec, self.out, named_hardware("h100"))
        ]

    @property
    def ledger(self) -> Ledger:
        return Ledger.open(self.out / "ledger.sqlite")


@pytest.fixture
def lab(tmp_path, monkeypatch) -> Lab:
    monkeypatch.delenv("SONDE_LEDGER", raising=False)
    return Lab(tmp_path)


def only(reports):
    (report,) = reports
    (claim,) = report.claims
    return report, claim


def states(report):
    return {stage.name: stage.state for stage in report.stages}


def test_a_claim_is_registered_before_the_first_result_and_judged_after_the_last(lab):
    report, claim = only(lab.run())
    assert claim.verdict.verdict == "confirmed"
    assert not claim.registration.after_results
    assert claim.mode == "confirmatory"
    stages = {stage["name"]: stage for stage in lab.ledger.show(report.run).stages}
    assert claim.registration.registered < min(stage["started"] for stage in stages.values())
    (recorded,) = lab.ledger.verdicts(run=report.run)
    assert stages["truth"]["started"] < recorded.recorded < stages["page"]["started"]
    page = report.finished["page"].open().read_text()
    assert "It can be &lt;b&gt;read&lt;/b&gt; &amp; more." in page
    assert "is-confirmed" in page
    assert report.finished["page"].summary["sections"][0] == "claims"


def test_nothing_is_judged_or_written_twice(lab):
    lab.run()
    assert set(lab.planned()[0].values()) == {"done"}
    report, claim = only(lab.run())
    assert set(states(report).values()) == {"reused"}
    assert report.run is None
    assert claim.verdict.verdict == "confirmed"
    assert len(lab.ledger.verdicts()) == len(lab.ledger.list()) == 1


def test_a_new_claim_over_finished_results_is_post_hoc_and_recorded(lab):
    lab.run(EXPERIMENT)
    lab.path.write_text(EXPERIMENT + CLAIMS)
    assert lab.planned()[0]["page"] == "run"
    report, claim = only(lab.run())
    assert states(report) == {
        "sentences": "reused", "acts": "reused", "truth": "reused", "page": "done",
    }  # fmt: skip
    assert (claim.mode, claim.verdict.post_hoc) == ("post hoc", True)
    assert "claims: post hoc, made when results existed: readable" in lab.said
    (verdict,) = lab.ledger.show(report.run).verdicts
    assert verdict.post_hoc
    page = report.finished["page"].open().read_text()
    assert "post hoc" in page
    assert "confirmatory" not in page


ELSEWHERE = EXPERIMENT.replace("name: small", "name: first-try")


@pytest.mark.parametrize(
    ("text", "overrides"),
    [
        (EXPERIMENT, ["seed=7"]),
        (ELSEWHERE.replace("truth:", "early:").replace("purpose: confirmatory\n", ""), []),
        (ELSEWHERE, ["seed=3", "acts.layers=[1]", "truth.method.folds=4", "sentences.limit=30"]),
    ],
)
def test_results_under_another_name_or_seed_make_a_claim_late(lab, text, overrides):
    lab.run(text, *overrides)
    lab.path.write_text(EXPERIMENT + CLAIMS)
    spec = read_specification(lab.path)
    (planned,) = planned_claims(spec, lab.out / "small", str(lab.out / "ledger.sqlite"))
    assert planned.mode == "post hoc"
    assert f"(run 1 ({'small' if text == EXPERIMENT else 'first-try'}))" in planned.standing
    _, claim = only(lab.run())
    assert (claim.mode, claim.verdict.post_hoc) == ("post hoc", True)
    assert any("had results of the same data, model and method" in said for said in lab.said)


def test_other_data_another_method_and_a_smoke_run_of_a_part_leave_a_claim_early(lab):
    smoke = EXPERIMENT.replace("purpose: confirmatory", "purpose: smoke")
    lab.run(smoke, "sentences.limit=18")
    lab.run(EXPERIMENT, "truth.method={kind: ridge, folds: 3, penalties: [1.0]}")
    lab.run(EXPERIMENT, "sentences.where={label: [a, b]}")
    assert only(lab.run())[1].mode == "confirmatory"


def test_results_on_disk_count_even_where_the_ledger_is_new(lab):
    lab.run(EXPERIMENT)
    (lab.out / "ledger.sqlite").unlink()
    assert only(lab.run())[1].verdict.post_hoc


def test_a_claim_changed_after_the_results_is_marked(lab):
    lab.run()
    report, claim = only(lab.run(EXPERIMENT + CLAIMS.replace("by: 0.05", "by: 0.01")))
    assert claim.registration.replaces == 1
    assert claim.verdict.post_hoc
    assert states(report)["page"] == "done"
    assert "replaces an earlier claim" in report.finished["page"].open().read_text()
    # To change a setting as well does not make the claim one that was made beforehand.
    changed = EXPERIMENT.replace("folds: 3", "folds: 4")
    _, again = only(lab.run(changed + CLAIMS.replace("by: 0.05", "by: 0.02")))
    assert again.verdict.post_hoc


def test_a_run_that_fails_midway_leaves_the_registration(lab):
    with pytest.raises(SondeError, match="class"):
        lab.run(EXPERIMENT + CLAIMS, "sentences.columns.label=id")
    (known,) = lab.ledger.registrations("small")
    assert not known.after_results
    assert lab.ledger.verdicts() == ()
    _, claim = only(lab.run())
    assert claim.registration == known
    assert claim.mode == "confirmatory"
    assert claim.spec_changed


def test_a_skipped_stage_leaves_the_claim_inconclusive(lab):
    report, claim = only(lab.run(EXPERIMENT + CLAIMS, "truth.when=acts.rows > 100"))
    assert claim.verdict.verdict == "inconclusive"
    assert "acts.rows > 100 does not hold (it is 36)" in claim.verdict.why
    assert states(report)["page"] == "done"


def test_a_sweep_is_judged_as_a_whole_before_its_pages_are_written(lab):
    claims = CLAIMS + (
        "  steady: {statement: s, kind: trend, of: truth.selected, along: acts.layers, by: 0.4}\n"
        "  everywhere: {statement: s, kind: all_of, of: [readable]}\n"
    )
    lab.run(EXPERIMENT + "sweep: {acts.layers: [0, 1]}\n" + claims)
    reports = lab.run(EXPERIMENT + "sweep: {acts.layers: [0, 1]}\n" + claims)
    first, last = reports
    assert [one.label for one in first.claims] == ["readable [acts.layers=0]"]
    assert [one.label for one in last.claims] == [
        "readable [acts.layers=1]", "steady", "everywhere",
    ]  # fmt: skip
    assert {state for report in reports for state in states(report).values()} == {"reused"}
    assert all(set(one.values()) == {"done"} for one in lab.planned())
    for report in reports:  # each page shows its own claims, and those across variants
        page = report.finished["page"].open().read_text()
        assert page.count('class="claim is-') == 3
    rows = lab.ledger.list()
    assert [row.state for row in rows] == ["done", "done"]
    assert [len(lab.ledger.verdicts(run=row.id)) for row in rows] == [3, 1]


def test_a_variant_that_fails_leaves_the_others_their_reports(lab):
    sweep = "sweep: {sentences.columns.label: [label, id]}\n"
    with pytest.raises(SondeError, match="class"):
        lab.run(EXPERIMENT + CLAIMS + sweep)
    failed, done = lab.ledger.list()
    assert (done.state, failed.state) == ("done", "failed")
    (page,) = [stage for stage in lab.ledger.show(done.id).stages if stage["name"] == "page"]
    assert page["state"] == "done"
    assert "A variant failed: the others get their reports without its verdicts." in lab.said
    assert lab.ledger.verdicts() == ()


TWO_FILES = """\
name: small
model: {name: "random:llama", check: false}
stages:
  sentences: {kind: data, path: sentences.csv}
  others: {kind: data, path: others.csv}
  acts: {kind: extract, data: sentences, layers: [0], template: none}
  acts2: {kind: extract, data: others, layers: [0], template: none}
  truth:
    kind: probe
    activations: acts
    labels: sentences
    method: {kind: mean_difference, folds: 3}
  second:
    kind: probe
    activations: acts2
    labels: others
    method: {kind: mean_difference, folds: 3}
claims:
  same: {statement: s, kind: equivalence, of: truth.selected, over: second.selected, by: 0.3}
"""


def test_rows_of_two_files_are_no_pairs_unless_the_column_of_ids_is_named(lab):
    # Labels that the words say nothing of, so that no score is at the ceiling.
    words = "good", "bad", "kind", "cruel", "dull"
    rows = [f"{n},Number {n} was {words[n % 5]} today,{'ab'[n // 4 % 2]}" for n in range(36)]
    numbered = ["id,text,label", *rows]
    (lab.folder / "sentences.csv").write_text("\n".join(numbered) + "\n")
    (lab.folder / "others.csv").write_text("\n".join(numbered).replace("today", "then") + "\n")
    assert only(lab.run(TWO_FILES))[1].verdict.design == "unpaired"
    named = [f"{stage}.columns.id=id" for stage in ("sentences", "others")]
    assert only(lab.run(TWO_FILES, *named))[1].verdict.design == "paired"
    lab.run(TWO_FILES, "sentences.path=others.csv")
    compared = {one.a.stage: one.design for one in compare(lab.ledger, 1, 3).results}
    assert (compared["truth"], compared["second"]) == ("unpaired", "")  # the second is run 1's own


def test_a_stated_value_is_held_against_the_result_and_may_come_later(lab):
    report, _ = only(lab.run())
    for one in lab.ledger.show(report.run).results:
        assert one.status in ("novel", "inconclusive")
        assert one.reference is None
    score = report.finished["truth"].summary["selected"]["value"]
    stated = f"references: {{truth.selected: {{value: {score}, tolerance: 0.01}}}}\n"
    report, _ = only(lab.run(EXPERIMENT + CLAIMS + stated))
    found = {one.name: one.status for one in lab.ledger.show(report.run).results}
    assert found["selected"] == "reproduced"
    report, _ = only(lab.run(EXPERIMENT + CLAIMS + stated))
    assert report.run is None  # nothing is stated anew
    lab.run(EXPERIMENT + CLAIMS + stated.replace("selected", "blocks.7.resid_post"))
    assert "references: there is no result truth.blocks.7.resid_post" in lab.said
