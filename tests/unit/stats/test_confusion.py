import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import (
    balanced_accuracy_score,
    confusion_matrix,
    matthews_corrcoef,
    precision_score,
    recall_score,
)

from sonde.core.errors import SondeError
from sonde.stats.confusion import confusion


def test_by_hand():
    truth = np.array(["yes", "yes", "yes", "no", "no"])
    said = np.array(["yes", "yes", "no", "no", "yes"])
    found = confusion(truth, said)
    assert found.labels == ("no", "yes")
    assert found.counts.tolist() == [[1, 1], [1, 2]]
    assert found.n == 5
    assert found.accuracy == pytest.approx(3 / 5)
    assert found.recalls == pytest.approx([1 / 2, 2 / 3])
    assert found.precisions == pytest.approx([1 / 2, 2 / 3])
    assert found.balanced_accuracy == pytest.approx(7 / 12)
    assert found.mcc == pytest.approx((2 * 1 - 1 * 1) / np.sqrt(3 * 3 * 2 * 2))
    assert str(found).splitlines() == ["true    no   yes", "  no     1     1", " yes     1     2"]


@settings(max_examples=40)
@given(seed=st.integers(0, 200), classes=st.integers(2, 4))
def test_it_is_scikit_learns(seed, classes):
    rng = np.random.default_rng(seed)
    truth, said = rng.integers(0, classes, (2, 40))
    truth[:classes] = said[:classes] = np.arange(classes)
    found = confusion(truth, said)
    assert (found.counts == confusion_matrix(truth, said)).all()
    assert found.recalls == pytest.approx(recall_score(truth, said, average=None))
    assert found.precisions == pytest.approx(precision_score(truth, said, average=None))
    assert found.balanced_accuracy == pytest.approx(balanced_accuracy_score(truth, said))
    assert found.mcc == pytest.approx(matthews_corrcoef(truth, said))


def test_always_saying_no_is_named():
    """97 % accuracy of a probe that always said no."""
    truth = np.repeat(["no", "yes"], [97, 3])
    found = confusion(truth, np.full(100, "no"))
    assert found.accuracy == pytest.approx(0.97)
    assert "says 'no' of 100.0% of rows, and finds 0 of the 3" in found.always_says
    assert "balanced accuracy is 0.500" in found.always_says
    assert np.isnan(found.mcc)
    assert np.isnan(found.precisions[1]) or found.labels == ("no",)


def test_a_rare_class_that_is_found_is_no_alarm():
    truth = np.repeat(["no", "yes"], [97, 3])
    assert confusion(truth, truth).always_says == ""
    even = np.repeat(["no", "yes"], [50, 50])
    nearly = np.repeat(["no", "yes"], [96, 4])
    assert "finds 4 of the 50" in confusion(even, nearly).always_says
    assert confusion(even, np.repeat(["no", "yes"], [90, 10])).always_says == ""


def test_one_class_alone_is_not_a_matter_of_answers():
    assert confusion(np.full(9, "no"), np.full(9, "no"), ("no", "yes")).always_says == ""


def test_the_order_of_classes_can_be_given():
    found = confusion(np.array([1, 0, 2]), np.array([1, 1, 2]), ("2", "1", "0"))
    assert found.counts.tolist() == [[1, 0, 0], [0, 1, 0], [0, 1, 0]]
    with pytest.raises(SondeError, match="'2' is not among '0', '1'"):
        confusion(np.array([1, 0, 2]), np.array([1, 1, 2]), ("0", "1"))
    with pytest.raises(SondeError, match="one answer a row"):
        confusion(np.array([1, 0]), np.array([1]))
