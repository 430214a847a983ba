import torch

from sonde.probes.threads import SMALL, threads_for


def test_small_problems_run_on_one_thread_and_leave_the_setting_as_it_was():
    before = torch.get_num_threads()
    with threads_for(SMALL - 1):
        assert torch.get_num_threads() == 1
    with threads_for(SMALL):
        assert torch.get_num_threads() == before
    assert torch.get_num_threads() == before
