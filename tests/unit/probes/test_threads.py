import pytest
import torch

from sonde.probes.threads import SMALL, each, threads_for


def test_small_problems_run_on_one_thread_and_leave_the_setting_as_it_was():
    before = torch.get_num_threads()
    with threads_for(SMALL - 1):
        assert torch.get_num_threads() == 1
    with threads_for(SMALL):
        assert torch.get_num_threads() == before
    assert torch.get_num_threads() == before


def test_each_item_is_worked_on_by_one_thread_and_answers_keep_their_order():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        found = each(lambda item: (item, torch.get_num_threads()), range(5))
        assert found == [(item, 1) for item in range(5)]
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_an_error_in_a_thread_is_the_callers():
    with pytest.raises(ZeroDivisionError):
        each(lambda item: 1 // item, [1, 0])
