"""A few of the broken inputs of ``python -m tests.fuzz`` for every reader, the same each time."""

import shutil

import pytest
from hypothesis import HealthCheck, given, settings

from pvd_engine.errors import UserError
from tests.fuzz.checks import check_refusal
from tests.fuzz.mutations import MUTATIONS, mutate
from tests.fuzz.samples import SAMPLES


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", SAMPLES)
def test_a_broken_input_is_read_right_or_refused_in_one_sentence(tmp_path, name):
    sample = SAMPLES[name]
    valid, folder = tmp_path / "valid", tmp_path / "broken"
    valid.mkdir()
    sample.write(valid)
    shutil.copytree(valid, folder)
    sample.look(folder)

    @settings(
        max_examples=20,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(MUTATIONS)
    def holds(mutations):
        shutil.rmtree(folder)
        shutil.copytree(valid, folder)
        mutate(folder, mutations)
        try:
            sample.look(folder)
        except UserError as error:
            check_refusal(error)

    holds()
