from sonde.core.progress import Step, progress, watching


def test_a_watcher_sees_every_step_where_nothing_is_shown():
    seen = []
    with watching(seen.append), progress("reading", 10, done=4, show=False) as advance:
        advance(2)
        advance(4)
    assert seen == [Step("reading", 6, 10, "tokens"), Step("reading", 10, 10, "tokens")]


def test_watching_ends_with_its_block():
    seen = []
    with watching(seen.append):
        pass
    with progress("reading", 10, show=False) as advance:
        advance(2)
    assert seen == []


def test_the_inner_watcher_is_told():
    outer, inner = [], []
    with watching(outer.append):
        with watching(inner.append), progress("reading", 1, show=False) as advance:
            advance(1)
        with progress("writing", 1, unit="rows", show=False) as advance:
            advance(1)
    assert [step.label for step in inner] == ["reading"]
    assert [(step.label, step.unit) for step in outer] == [("writing", "rows")]
