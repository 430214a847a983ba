import pytest

from sonde.core.errors import SondeError
from sonde.experiments.cost.prices import load_prices
from sonde.experiments.hardware import DEVICES


@pytest.fixture(autouse=True)
def no_file_of_one_s_own(tmp_path, monkeypatch):
    monkeypatch.delenv("SONDE_PRICES", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


def own(tmp_path, text):
    path = tmp_path / "config" / "sonde" / "prices.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    return path


def test_every_device_has_a_price_with_a_date():
    prices = load_prices()
    assert set(prices.gpus) == set(DEVICES)
    assert all(0.1 < price < 20 for price in prices.gpus.values())
    assert prices.cpu == 0
    assert prices.as_of is not None
    assert prices.source == ""


def test_an_hour_is_that_of_all_gpus_together():
    prices = load_prices()
    assert prices.hourly(()) == 0
    assert prices.hourly(("h100", "h100")) == 2 * prices.gpus["h100"]
    assert prices.hourly(("h100", "Some Other GPU")) is None


def test_one_s_own_prices_replace_only_what_they_name(tmp_path):
    path = own(tmp_path, "cpu: 0.2\ndevices: {h100: 2}\nothers: {Some Other GPU: 1.5}\n")
    prices = load_prices()
    assert (prices.cpu, prices.gpus["h100"], prices.gpus["Some Other GPU"]) == (0.2, 2, 1.5)
    assert prices.gpus["a100"] == 1.5
    assert prices.source == str(path)


def test_the_variable_comes_before_the_usual_place(tmp_path, monkeypatch):
    own(tmp_path, "cpu: 1\n")
    named = tmp_path / "mine.yaml"
    named.write_text("cpu: 2\n")
    monkeypatch.setenv("SONDE_PRICES", str(named))
    assert load_prices().cpu == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("device: {h100: 2}\n", r"device \(line 1\) is not a key here. Did you mean 'devices'"),
        ("devices: {h10: 2}\n", "there is no device 'h10'. Did you mean 'h100'"),
        ("devices:\n  h100: cheap\n", r"devices.h100 \(line 2\)"),
        ("devices: {h100: -1}\n", "is -1, which is too low: write 0 or more"),
        ("cpu: .nan\n", "finite"),
        ("- 3\n", "is not a file of prices"),
    ],
)
def test_a_wrong_file_says_where(tmp_path, text, said):
    own(tmp_path, text)
    with pytest.raises(SondeError, match=said):
        load_prices()


def test_a_named_file_must_be_there(tmp_path, monkeypatch):
    monkeypatch.setenv("SONDE_PRICES", str(tmp_path / "none.yaml"))
    with pytest.raises(SondeError, match=r"SONDE_PRICES names .*none\.yaml"):
        load_prices()
