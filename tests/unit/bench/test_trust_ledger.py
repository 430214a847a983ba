from bench.trust.ledger import measure


def test_a_small_ledger_is_measured_like_the_large_one():
    figures = measure(runs=600, rows=4, kills=1, rounds=1)
    assert all(figure.figure.endswith(" ms") for figure in figures[:-4])  # speed is not judged here
    appended, killed = figures[-4::2], figures[-3::2]
    assert [figure.section.split(", ")[1] for figure in appended] == ["SQLite", "PostgreSQL"]
    for figure in (*appended, *killed):
        assert figure.met or "not measured" in figure.figure, figure
    assert appended[0].figure.startswith("32 runs")
    assert killed[0].figure.endswith("0 lost, 0 half there")
