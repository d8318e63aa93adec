"""The hardest rays: which are kept, drawn again and replaced."""

import torch

from pvd_engine.distill.hard_rays import HardRays

CPU = torch.device("cpu")
CAPACITY = 40


def numbered(first, count):
    """Rows that hold their number."""
    return torch.arange(first, first + count, dtype=torch.float32)[:, None].expand(count, 3)


def full():
    """A table filled batch by batch, a fifth of ten each; the later in a batch, the worse."""
    hard = HardRays(0.2, CAPACITY, 3, CPU)
    generator = torch.Generator().manual_seed(0)
    for batch in range(CAPACITY // 2):
        slots, rows = hard.draw(10, generator)
        assert len(slots) == len(rows) == 0, "none before the table is full"
        hard.learn(slots, numbered(10 * batch, 10), torch.arange(10.0))
    return hard, generator


def test_the_worst_of_each_batch_fill_the_table():
    hard, _ = full()
    assert sorted(hard.table[:, 0].tolist()) == [
        10.0 * batch + index for batch in range(CAPACITY // 2) for index in (8, 9)
    ]


def test_the_worst_of_a_batch_replace_those_drawn_for_it():
    hard, generator = full()
    slots, rows = hard.draw(10, generator)
    assert torch.equal(rows, hard.table[slots]) and len(rows) == 2
    before = set(hard.table[:, 0].tolist())
    errors = torch.cat((torch.arange(10.0), torch.zeros(2)))
    hard.learn(slots, torch.cat((numbered(5000, 10), rows)), errors)
    after = set(hard.table[:, 0].tolist())
    assert after - before == {5008.0, 5009.0}
    assert before - after == set(rows[:, 0].tolist())


def test_what_is_known_goes_on_from_a_checkpoint():
    hard, generator = full()
    state = generator.get_state()
    expected = hard.draw(10, generator)
    resumed = HardRays(0.2, CAPACITY, 3, CPU)
    resumed.load_state({k: v.clone() for k, v in hard.state().items()})
    generator.set_state(state)
    for ours, theirs in zip(resumed.draw(10, generator), expected, strict=True):
        assert torch.equal(ours, theirs)
