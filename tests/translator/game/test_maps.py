from dataclasses import replace

import pytest
import torch
from torch import nn

from spectragan.translator.game.maps import (
    flux_change,
    identity_loss,
    latent_loss,
    scale_by,
    spectrum_loss,
    translate,
)

SHIFT = 0.5


class Shift(nn.Module):
    """A perfect translator: observed spectra are brighter by 0.5, and by their split latent."""

    def encode(self, x, domain):
        if domain == 0:
            return x, x[:, :0]
        split = x[:, :1] - x[:, 1:2]  # equal pixels carry the split latent
        return x - SHIFT, 0 * split

    def decode(self, shared, split, domain):
        return shared if domain == 0 else shared + SHIFT + 10 * split


def batch(noise=0.0):
    x = torch.linspace(0, 1, 12).reshape(4, 3)
    return {"synthetic": {"x": x}, "observed": {"x": x + SHIFT, "noise": torch.full((4, 3), noise)}}


def test_translate_gives_every_map_its_spectra():
    maps = translate(Shift(), batch())
    x = batch()["synthetic"]["x"]
    for found, expected in ((maps.so, x + SHIFT), (maps.os, x), (maps.sos, x), (maps.ss, x)):
        torch.testing.assert_close(found, expected)
    torch.testing.assert_close(maps.oso, maps.oo)


def test_translate_hides_faint_details_under_noise():
    """Or the way back could be encoded below the noise of the observed spectra."""
    maps = translate(Shift(), batch(noise=0.1))
    torch.testing.assert_close(maps.so, batch()["observed"]["x"])
    error = (maps.shared_so - maps.shared_s).std()
    assert 0.03 < error < 0.3


def test_translate_lends_noise_and_split_latents_of_one_star():
    rows = batch()
    rows["observed"]["noise"] = torch.arange(4.0)[:, None].expand(4, 3)

    class Reader(Shift):
        def encode(self, x, domain):
            return (x, x[:, :0]) if domain == 0 else (x, torch.round((x[:, :1] - SHIFT) * 11 / 3))

        def decode(self, shared, split, domain):
            return shared * 0 if domain == 0 else shared * 0 + 1

    torch.manual_seed(0)
    maps = translate(Reader(), rows)
    torch.manual_seed(0)
    donor = torch.randperm(4)
    assert torch.equal(maps.split_lent[:, 0], donor.float())
    noiseless = donor == 0
    torch.testing.assert_close(maps.shared_so[noiseless], torch.ones(1, 3))


def test_scale_by_takes_diagonals_and_matrices():
    diagonal, vector = torch.rand(4, 3), torch.rand(4, 3)
    torch.testing.assert_close(
        scale_by(torch.diag_embed(diagonal), vector), scale_by(diagonal, vector)
    )


def test_spectrum_loss_is_one_for_errors_of_one_sigma():
    x = torch.zeros(5, 3)
    for metric in (torch.full((5, 3), 4.0), 4 * torch.eye(3).expand(5, 3, 3)):
        rows = {"x": x, "start": x + 0.25, "metric": metric}
        assert spectrum_loss(x + 0.25, rows).item() == pytest.approx(1.0)
        assert spectrum_loss(x + 0.25, rows, target="start").item() == 0.0


def test_spectrum_loss_ignores_pixels_without_metric():
    metric = torch.ones(2, 3)
    metric[:, 1] = 0
    x = torch.zeros(2, 3)
    wrong = x.clone()
    wrong[:, 1] = 1e6
    assert spectrum_loss(wrong, {"x": x, "metric": metric}).item() == 0.0


def test_latent_loss_of_a_perfect_translator_is_that_of_its_split_scale():
    maps = translate(Shift(), batch())
    assert latent_loss(maps).item() == pytest.approx(0.1, rel=1e-4)  # variance 0 instead of 1
    moved = replace(maps, shared_so=maps.shared_so + 0.5)
    assert latent_loss(moved).item() == pytest.approx(0.1 + 0.25, rel=1e-4)
    none = replace(maps, split_o=maps.split_o[:, :0])
    assert latent_loss(none).item() == pytest.approx(0.0, abs=1e-10)


def test_identity_loss_prefers_one_strong_line_over_many_weak_changes():
    line, everywhere = torch.zeros(1, 100), torch.full((1, 100), 0.05)
    line[0, 0] = 5.0
    no_shift = None, torch.zeros(())
    assert line.sum() == pytest.approx(everywhere.sum())
    assert identity_loss(line, no_shift, 0.5) > 5 * identity_loss(everywhere, no_shift, 0.5)
    # By squares the line would cost a hundred times as much; here it costs far less than that.
    assert identity_loss(line, no_shift, 0.01) < 2 * identity_loss(everywhere, no_shift, 0.01)


def test_flux_change_adds_the_difference_of_the_means():
    matrix, shift = torch.tensor([[1.0], [2.0]]), torch.tensor([0.1, 0.2])
    change = flux_change(torch.tensor([[3.0]]), (matrix, shift))
    torch.testing.assert_close(change, torch.tensor([[3.1, 6.2]]))
