import torch

from spectragan.training.rows import DomainBatches, DomainRows

N_SYNTHETIC, N_OBSERVED = 10, 23


def rows():
    parts = (torch.arange(float(n))[:, None] for n in (N_SYNTHETIC, N_OBSERVED))
    return DomainRows(*({"x": part} for part in parts))


def epoch(seed=0, batch_size=6, n_batches=8):
    """Return the row numbers of one epoch, in order, by domain."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        batches = [batch for batch, _ in DomainBatches(rows(), batch_size, n_batches=n_batches)]
    return {d: torch.cat([b[d]["x"][:, 0] for b in batches]).int() for d in batches[0]}


def test_domain_batches_use_every_row_before_any_comes_again():
    for domain, n_rows in (("synthetic", N_SYNTHETIC), ("observed", N_OBSERVED)):
        order = epoch()[domain]
        for start in range(0, len(order) - n_rows + 1, n_rows):
            assert sorted(order[start : start + n_rows].tolist()) == list(range(n_rows))


def test_domain_batches_are_unpaired():
    order = epoch(batch_size=10, n_batches=1)
    assert not torch.equal(order["synthetic"], order["observed"])


def test_domain_batches_come_in_a_new_order_that_the_seed_fixes():
    first, again, other = (epoch(seed)["observed"] for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_domain_batches_are_as_many_and_as_large_as_asked():
    batches = list(DomainBatches(rows(), 50, n_batches=2))
    assert len(batches) == len(DomainBatches(rows(), 50, n_batches=2)) == 2
    assert {part["x"].shape for batch, _ in batches for part in batch.values()} == {(50, 1)}


def test_domain_rows_are_as_long_as_the_larger_domain():
    assert len(rows()) == N_OBSERVED
