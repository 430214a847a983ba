"""Hook points and layers: names read back, and layers resolve as the design says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonde.core.errors import SondeError
from sonde.core.hooks import (
    FORWARD_ORDER,
    TRANSFORMER_LENS_NAMES,
    HookPoint,
    Site,
    parse_hook_point,
    parse_site,
    resolve_layers,
)

hook_points = st.builds(HookPoint, st.integers(0, 200), st.sampled_from(Site))


@given(hook_points)
def test_a_hook_point_reads_back(point):
    assert parse_hook_point(str(point)) == point


def test_a_hook_point_is_written_as_in_the_design():
    assert str(HookPoint(12, Site.RESID_POST)) == "blocks.12.resid_post"
    assert parse_hook_point("blocks.3.hook_mlp_out") == HookPoint(3, Site.MLP_OUT)
    assert parse_hook_point("blocks.3.ln2.hook_normalized").site is Site.MLP_NORMED_UNGAINED


@pytest.mark.parametrize("name", TRANSFORMER_LENS_NAMES)
def test_every_other_name_of_a_site_reads(name):
    assert parse_hook_point(f"blocks.0.{name}").site is TRANSFORMER_LENS_NAMES[name]


def test_every_site_has_its_place_in_the_forward_pass():
    assert sorted(FORWARD_ORDER) == sorted(Site)


@given(hook_points, hook_points)
def test_depth_orders_layers_before_sites(one, other):
    if one.layer < other.layer:
        assert one.depth < other.depth
    assert (one.depth == other.depth) == (one == other)
    assert HookPoint(one.layer, Site.RESID_PRE).depth <= one.depth
    assert one.depth <= HookPoint(one.layer, Site.RESID_POST).depth


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("blocks.1.resid_pos", "'resid_pos' is not a site. Did you mean 'resid_post'"),
        ("blocks.-1.resid_post", "is not a hook point"),
        ("blocks.１.resid_post", "is not a hook point"),
        ("block.1.resid_post", r"Write blocks\.<layer>\.<site>"),
        ("resid_post", "is not a hook point"),
    ],
)
def test_what_is_no_hook_point_is_an_error(text, message):
    with pytest.raises(SondeError, match=message):
        parse_hook_point(text)


def test_a_site_reads_as_itself():
    assert all(parse_site(site.value) is site for site in Site)


@pytest.mark.parametrize(
    ("spec", "n_layers", "layers"),
    [
        ([0.25, 0.5, 0.6, 0.7, 0.8, 0.9], 46, (11, 23, 27, 32, 36, 41)),  # seed 000's layers
        ("auto", 30, (0, 7, 15, 22, 29)),
        ("auto", 2, (0, 1)),
        ("auto", 1, (0,)),
        ("all", 3, (0, 1, 2)),
        (0.5, 30, (15,)),
        (0.29, 100, (29,)),  # 0.29 * 100 is below 29 in binary
        (12, 30, (12,)),
        (-1, 30, (29,)),
        ("12", 30, (12,)),
        ("0.5", 30, (15,)),
        ("-2", 30, (28,)),
        ("4:8", 30, (4, 5, 6, 7)),
        ("::10", 30, (0, 10, 20)),
        ("-2:", 30, (28, 29)),
        ([3, 1, -29, 0.5], 30, (1, 3, 15)),
    ],
)
def test_layers_resolve(spec, n_layers, layers):
    assert resolve_layers(spec, n_layers) == layers


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (30, "layer 30 is outside the model, which has 30 blocks. Blocks are 0 to 29"),
        (-31, "layer -31 is outside"),
        ("30", "layer 30 is outside"),
        (12.0, "write 12, not 12.0"),
        (0.0, "neither a block index nor a fraction"),
        (float("nan"), "neither a block index nor a fraction"),
        (True, "layer True is not a number"),
        ([], "No layers were given"),
        ("20:4", "selects none"),
        ("4:8:0", "cannot be read"),
        ("al", "Did you mean 'all'"),
    ],
)
def test_layers_that_are_none_are_errors(spec, message):
    with pytest.raises(SondeError, match=message):
        resolve_layers(spec, 30)


@given(st.integers(1, 200), st.data())
def test_fractions_round_down_and_stay_inside(n_layers, data):
    block = data.draw(st.integers(0, n_layers - 1))
    fraction = data.draw(st.floats(0.0001, 0.9999))
    (layer,) = resolve_layers(fraction, n_layers)
    assert 0 <= layer < n_layers
    assert layer <= fraction * n_layers + 1e-8
    if block > 0:
        assert resolve_layers(block / n_layers, n_layers) == (block,)


@given(st.integers(1, 60), st.lists(st.integers(-60, 59), min_size=1))
def test_a_list_is_sorted_and_has_no_repeats(n_layers, wanted):
    wanted = [layer for layer in wanted if -n_layers <= layer < n_layers] or [0]
    layers = resolve_layers(wanted, n_layers)
    assert list(layers) == sorted({layer % n_layers for layer in wanted})
