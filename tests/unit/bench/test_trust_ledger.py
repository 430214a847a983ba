from bench.trust import ledger as module
from bench.trust.ledger import FILTERS, measure


def test_a_small_ledger_is_measured_like_the_large_one(monkeypatch):
    few = ("by a name with a star in front", "by free text that one has")
    monkeypatch.setattr(module, "FILTERS", {name: FILTERS[name] for name in few})
    monkeypatch.setattr(module, "SORTS", ("id", "value"))
    *times, alone, killed, at_server, killed_at_server = measure(600, rows=4, kills=1, rounds=1)
    for figure in times:  # how fast it is is not judged here
        assert figure.figure.endswith(" ms") or "not measured" in figure.figure
    assert (alone.figure.split(" in ")[0], alone.met) == ("32 runs", True)
    assert killed.figure.endswith("0 lost, 0 half there")
    assert killed.met
    for figure in (at_server, killed_at_server):
        assert figure.met or "not measured" in figure.figure, figure
