"""The browser of latents: what it shows of a dictionary's samples, and what it refuses."""

import json
import re
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from sonde.core.errors import SondeError
from sonde.dictionaries.samples import SampledFrom, SampleSettings
from sonde.dictionaries.samples.found import Accounting, DictionarySamples
from sonde.report import LatentBrowser, Report, ShownLatent, ShownText, latents_section, render
from sonde.report.sections.latent_browser import prepare, rate_text
from sonde.report.sections.latent_browser_data import alone, seen

TEXT = ShownText((" a", " b", "\n"), (0.0, 2.0, None), 1, 2.0, "largest")
LATENT = ShownLatent(
    7, 0.003, 1.5, 2.0, 0.9, None, (3, 1), (0.1, 0.14, 0.2), ((" b", 0.5),), (("x", 1.25),),
    (("y", -0.5),), (TEXT,),
)  # fmt: skip


def samples(n: int = 40, texts: int = 12) -> DictionarySamples:
    """Return tables of latents that fire 0, 1, 2 ... times; all but the first have texts."""
    fired = np.arange(n)
    said = [([{"id": 1, "text": f" w{one}", "number": 1.0}] if one else None) for one in range(n)]
    latents = pa.table(
        {
            "latent": np.arange(n, dtype=np.int32), "block": np.zeros(n, np.int32),
            "fired": fired, "rate": fired / 1000, "mean": [None, *[1.0] * (n - 1)],
            "largest": [None, *[float(texts)] * (n - 1)], "samples": (fired > 0) * texts,
            "diversity": [None, *[1.0] * (n - 1)], "specialisation": [None, *[0.5] * (n - 1)],
            "effective_tokens": [None, *[3.0] * (n - 1)],
            "histogram": [[0, 0, int(one), 0] + [0] * 45 for one in fired],
            "tokens": said, "raised": said, "lowered": said,
        }
    )  # fmt: skip
    rows = [
        {
            "latent": latent, "drawn": "top" if rank < texts // 2 else "octave", "octave": -1,
            "rank": rank, "value": float(texts - rank), "token": 100 * latent + rank, "step": 0,
            "document": 0, "place": 1, "pieces": [" the", f" w{latent}", f" {rank}"],
            "values": [0.0, float(texts - rank), None],
        }
        for latent in range(1, n)
        for rank in range(texts)
    ]  # fmt: skip
    counts = Accounting(
        latents=n, silent=1, faint=0, sampled=n - 1, rows=1000, samples=len(rows), texts=len(rows)
    )
    source = SampledFrom(part="held-out")
    return DictionarySamples(
        SampleSettings(show=5, show_samples=8), source, counts, latents, pa.Table.from_pylist(rows)
    )


def test_latents_are_spaced_by_how_often_they_fire_and_the_rest_is_said():
    section = latents_section(samples())
    assert section is not None
    assert [one.number for one in section.latents] == [39, 29, 20, 11, 1]
    assert section.left_out == (
        "5 of 40 latents are shown, evenly spaced by how often they fire. On 1,000 tokens 1 never "
        "fired."
    )
    assert "never saw" in section.note
    whole = latents_section(samples(), show=100)
    assert whole is not None
    assert len(whole.latents) == 39
    assert "all that have samples" in whole.left_out
    named = latents_section(samples(), latents=[3, 0, 3])
    assert named is not None
    assert [one.number for one in named.latents] == [3, 0]
    assert named.latents[1].texts == ()
    with pytest.raises(SondeError, match="no latent 40"):
        latents_section(samples(), latents=[40])
    assert latents_section(samples(1)) is None


def test_texts_are_the_largest_and_others_over_the_range():
    section = latents_section(samples(), latents=[9])
    assert section is not None
    (latent,) = section.latents
    assert [text.value for text in latent.texts] == [12, 11, 10, 9, 8, 6, 4, 2]
    assert [text.drawn for text in latent.texts] == ["largest"] * 5 + ["over the range"] * 3
    assert latent.counts == (9,)
    assert latent.bounds == pytest.approx((0.1 * 2**0.5, 0.2))


def test_equal_texts_are_shown_once_and_counted():
    found = samples(3)
    rows = [one | {"pieces": [" the", " same", " text"]} for one in found.samples.to_pylist()]
    section = latents_section(replace(found, samples=pa.Table.from_pylist(rows)), latents=[2])
    assert section is not None
    (text,) = section.latents[0].texts
    assert (text.times, text.value) == (12, 12.0)


def test_what_the_scripts_read_is_whole_numbers_of_the_largest():
    page = render(Report("t", "q", (LatentBrowser((LATENT,)),)))
    found = re.search(r'<script type="application/json">(.*?)</script>', page)
    assert found
    (latent,) = json.loads(found[1])["latents"]
    assert latent["texts"][0]["values"] == [0, 1000, None]
    assert latent["texts"][0]["tokens"] == [" a", " b", [["⏎"]]]
    assert latent["said"]["rate"] == "0.3 %"
    assert (latent["raised"], latent["lowered"]) == ([["x", "+1.2"]], [["y", "−0.50"]])
    assert latent["bounds"] == ["0.1", "0.14", "0.2"]
    assert ("specialisation", "specialisation") not in prepare(LatentBrowser((LATENT,)))["sorts"]


def test_the_table_marks_the_sampled_token_and_escapes_all():
    hostile = replace(LATENT, texts=(replace(TEXT, pieces=("<b>", "</script>", "&")),))
    page = render(Report("t", "q", (LatentBrowser((hostile,)),)))
    assert "<mark>&lt;/script&gt;</mark>" in page
    assert "<b></script>" not in page


def test_marks_are_parts_of_their_own():
    assert seen(" word") == " word"
    assert seen("a\tb") == ["a", ["⇥"], "b"]
    assert alone(" word") == [["·"], "word"]
    assert alone(" \t") == [["·"], ["⇥"]]
    assert alone("word") == "word"


@pytest.mark.parametrize(
    ("rate", "said"), [(0.32, "32 %"), (0.03, "3 %"), (0.000021, "0.0021 %"), (0.0, "0 %")]
)
def test_rates_keep_two_figures_however_small(rate, said):
    assert rate_text(rate) == said


def test_what_does_not_fit_together_is_refused():
    with pytest.raises(SondeError, match="at least one latent"):
        LatentBrowser(())
    with pytest.raises(SondeError, match="given twice"):
        LatentBrowser((LATENT, LATENT))
    with pytest.raises(SondeError, match="2 counts and 1 bounds"):
        replace(LATENT, bounds=(0.1,))
    with pytest.raises(SondeError, match="3 tokens, 3 activations and is sampled at 3"):
        replace(LATENT, texts=(replace(TEXT, place=3),))
