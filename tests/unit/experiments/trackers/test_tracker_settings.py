import pytest

from sonde.core.errors import SondeError
from sonde.experiments.spec import read_specification
from sonde.experiments.trackers.settings import MlflowSettings, TensorboardSettings, WandbSettings


def tracked(path, track):
    return read_specification(path, [f"track={track}"]).variants[0].experiment.track


def test_a_name_is_enough(experiment):
    assert tracked(experiment, "[wandb, tensorboard, mlflow]") == (
        WandbSettings(),
        TensorboardSettings(),
        MlflowSettings(),
    )
    assert tracked(experiment, "wandb") == (WandbSettings(),)
    assert tracked(experiment, "[]") == ()


def test_settings_are_those_of_the_kind(experiment):
    (found,) = tracked(
        experiment,
        "[{kind: wandb, project: probes, group: layers, name: '{variant}', mode: offline}]",
    )
    assert found == WandbSettings(
        project="probes", group="layers", name="{variant}", mode="offline"
    )


@pytest.mark.parametrize(
    ("track", "said"),
    [
        ("[wandbb]", "there is no tracker 'wandbb'. Did you mean 'wandb'"),
        ("[{project: x}]", "a tracker has no kind"),
        ("[{kind: wandb, projct: x}]", "projct is not a key here. Did you mean 'project'"),
        ("[{kind: wandb, mode: off}]", "offline"),
        ("[{kind: mlflow, mode: offline}]", "mode is not a key here"),
        ("[{kind: wandb, name: '{modle}'}]", "Did you mean 'model'"),
        ("3", "write a list"),
    ],
)
def test_a_mistake_is_named(experiment, track, said):
    with pytest.raises(SondeError, match=said):
        tracked(experiment, track)


def test_tracking_changes_no_result(experiment):
    from sonde.experiments.keys import all_keys

    (plain,) = read_specification(experiment).variants
    (followed,) = read_specification(experiment, ["track=[tensorboard]"]).variants
    assert all_keys(plain) == all_keys(followed)
