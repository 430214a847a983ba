from sonde.cli import demo
from sonde.experiments.log import FILE


def test_a_fresh_demo_keeps_the_log_with_its_remarks(tmp_path):
    assert demo.LOG == FILE
    (tmp_path / "news" / "key").mkdir(parents=True)
    (tmp_path / "variants.json").touch()
    (tmp_path / FILE).write_text("my remarks")
    demo._forget(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [FILE]
    demo._forget(tmp_path / "never run")
