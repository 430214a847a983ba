from bench.trust.speed import measure

from sonde.stats import METRICS


def test_every_metric_is_timed_both_ways():
    figures = measure(resamples=200, rows=300, rounds=1)
    assert len(figures) == 4 * len(METRICS)
    for name in METRICS:
        for how in ("percentile interval", "interval_of"):
            what = f"{how}, {name}: 200 resamples of 300 rows"
            assert sum(figure.what.startswith(what) for figure in figures) == 2
