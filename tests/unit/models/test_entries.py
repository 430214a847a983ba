"""The catalog's numbers are those of the published models."""

import pytest

from sonde.models.checkpoint import config_from_file, skeleton
from sonde.models.entries import catalog, find, nearest_entry
from sonde.models.families import family_of


@pytest.mark.parametrize("config", sorted({entry.config for entry in catalog().values()}))
def test_building_a_configuration_gives_the_published_number_of_parameters(config):
    entries = [entry for entry in catalog().values() if entry.config == config]
    hf = skeleton(config_from_file(entries[0].path))
    assert {entry.n_parameters for entry in entries} == {hf.num_parameters()}
    assert all(parameter.is_meta for parameter in hf.parameters())
    family_of(hf.config)


def test_shapes_known_by_heart():
    def shape(name):
        text = config_from_file(catalog()[name].path).get_text_config()
        return text.num_hidden_layers, text.hidden_size

    assert shape("gemma-2-27b") == (46, 4608)
    assert shape("gemma-3-4b-it") == (34, 2560)
    assert shape("gemma-2-2b") == (26, 2304)
    assert shape("smollm2-135m-instruct") == (30, 576)
    assert shape("pythia-70m") == (6, 512)


def test_a_model_is_found_by_name_alias_and_hub_id_in_any_case():
    entry = catalog()["gemma-2-2b"]
    assert find("gemma-2-2b") is find("google/gemma-2-2b") is find("Gemma-2-2B") is entry
    assert find("gemma-3-4b") is catalog()["gemma-3-4b-pt"]
    assert find("gemma-2-3b") is None


def test_variants_share_a_configuration_and_differ_in_weights():
    plain, deduped = catalog()["pythia-70m"], catalog()["pythia-70m-deduped"]
    assert plain.path == deduped.path
    assert plain.hub_id != deduped.hub_id


def test_names_and_hub_ids_are_unique():
    hubs = [entry.hub_id for entry in catalog().values()]
    assert len(set(hubs)) == len(hubs)


def test_a_misspelt_name_brings_the_nearest():
    assert "'smollm2-135m-instruct'" in nearest_entry("smollm-135m-instruct")
    assert nearest_entry("zzzz") == ""
