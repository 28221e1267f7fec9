"""`CycleGANTranslator`: unpaired translation between synthetic and observed spectra."""

from collections.abc import Sequence
from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import nn

from spectragan.emulator.model import EmulatorModel, SpectrumModel, spectrum_model
from spectragan.files.decoding import LoadedNet
from spectragan.files.layout import refusal
from spectragan.spectra import Spectra
from spectragan.spectra.oddities import warn_if_unlike
from spectragan.training.devices import plain_torch, resolve_device, seeded
from spectragan.training.inference import map_exactly, push_forward
from spectragan.training.resuming import open_fit
from spectragan.translator.base import OBSERVED, SYNTHETIC, BaseTranslator, Latents
from spectragan.translator.domain_data import domain_data, memory_data
from spectragan.translator.game.epochs import EpochScores, epoch_history, epoch_rows
from spectragan.translator.game.health import judge_health, warn_of_few
from spectragan.translator.game.net import TranslatorNet, train
from spectragan.translator.game.setup import build_game, earlier_training
from spectragan.translator.matching.matching import emulated, match_labels, read_known
from spectragan.translator.matching.mismatch import Match
from spectragan.translator.matching.offset import settle_offset
from spectragan.translator.matching.pseudo_map import PseudoMap
from spectragan.translator.networks.pixels import SubspacePixels
from spectragan.translator.parameters import RULES, check_pairs, check_parameters, published
from spectragan.translator.representation import keep_translation, warn_of_truncation
from spectragan.translator.scores import cycle_scores

KEPT_ROWS = 4000  # synthetic spectra, without noise, that say how all are to be translated


class CycleGANTranslator(BaseTranslator):
    r"""Translate synthetic spectra into observed ones, and back, without pairs.

    Two encoders map spectra to common latents, two generators map back; `shared` latents are
    common to both domains, `split` latents belong to observed spectra only. Critics judge pairs
    of a spectrum and its latents.

    Parameters
    ----------
    network : {"subspace", "conv", "conv-published"} or torch.nn.Module, default="subspace"
        "subspace" works on the leading joint components, with a full-pixel head fitted
        afterwards; "conv" works on pixels, with layers like the published ones [1]_ but one set
        for both domains, and small linear maps that start it at the linear translation;
        "conv-published" has the published layers, start and scaling of flux, for any number of
        pixels, and `published` has the rest of the method. A module works on pixels and follows
        `spectragan.networks.TranslatorNetwork`.
    n_shared : int, default=None
        Shared latents; the parameter that matters most. None takes the intrinsic dimension of the
        synthetic spectra (subspace; at least 8, if there are as many components, where training
        starts from pseudo-pairs), or 25 channels (conv).
    n_split : int, default=None
        Split latents. None takes 3 (subspace), or 4 channels (conv).
    n_components : int, default=None
        Joint components of both domains. None takes those above the noise, at most 20.
    adversarial : {"rpgan", "lsgan", "hinge", "bce"} or None, default="rpgan"
        The game between critic and translator. "bce" is the published one. None
        trains without critics: all epochs are as those of the warm-up.
    reconstruction_weight, cycle_weight : float or (float, float), default=1.0
        Of the loss terms below; a pair is for synthetic and for observed spectra.
    latent_weight, adversarial_weight : float, default=1.0
        Of the loss terms below.
    identity_weight : float, default=None
        Of the robust change of flux. Higher keeps more pixels as they are; 0 leaves open how
        stars move along the labels. None takes 0.01 for convolutional networks, else 0.1.
    start_weight : float, default=1.0
        Of the distance to the linear start during warm-up.
    penalty : float, default=0.05
        Of the critics' gradients. Higher makes the game slower and stiffer.
    hidden : sequence of int, default=(64, 64)
        Hidden layers of the subspace networks.
    width : float, default=None
        Factor on the published channels. None takes 0.25 for "conv", else 1.
    critic : torch.nn.Module, default=None
        Goes with a `network` of your own, and follows `spectragan.networks.CriticNetwork`.
    n_codes : int, default=32
        Split codes of observed spectra that `transform` averages over.
    max_epochs : int, default=None
        Epochs in all. None takes 16 for "conv", else 40; 10 where training starts from
        pseudo-pairs and `warmup_epochs` is None, too.
    warmup_epochs : int, default=None
        Of them, those before the critics play. None takes a quarter, all of them leave the
        critics out.
    steps_per_epoch : int, default=None
        Batches in an epoch. None takes 50, and fewer for small sets.
    batch_size : int, default=None
        Spectra of each domain in a batch. None takes 32 for both convolutional networks, else
        256.
    learning_rate : float, default=None
        Of Adam for both players. None takes 3e-4 for "conv", 1e-3 for "conv-published", else
        2e-3.
    betas : (float, float), default=None
        Of Adam for both players: what is kept of the mean gradient, and of its mean square. None
        takes (0.5, 0.99) for the translator and (0, 0.99) for critics, who must not push on after
        it has moved.
    schedule : "cosine" or sequence of int, default="cosine"
        How rates fall: along a cosine to the last epoch, or by a factor 0.7 after each of these
        numbers of steps.
    ema_decay : float, default=None
        Of the running average of the weights, which `transform` uses. None takes 0.99 for
        "conv", else 0.998.
    error_floor : float, default=None
        Smallest error of a pixel, in flux, by which residuals are divided in both domains. None
        takes a part of the spectra's scatter.
    reencode_noise : bool, default=True
        Whether translated spectra get noise before they are encoded again.
    critic_split : {"lent", "reencoded"}, default="lent"
        Split latents that critics see beside a translated spectrum: those lent to it, or those
        encoded from it.
    critics_first : bool, default=True
        Whether critics step before the translator.
    undo_bad_epochs : bool, default=True
        Whether training goes back after an epoch that went wrong; it is told in any case.
    match_labels : {"auto", True, False}, default="auto"
        Whether to train on stars that both domains have: with "auto", where the label
        distributions seem to differ (see `mismatch_`).
    oversample : int, default=None
        Synthetic spectra drawn for each place in a batch, of which those are trained on whose
        translations look most observed to the critic: for other stars on the two sides, where
        `match_labels` can't tell [1]_ [3]_. None or 1 takes them as they come. From one candidate
        at the end of the warm-up their number grows evenly until half of the game is over.
        Another word than "select", since `select_by` chooses epochs.
    select_by : str, default=None
        The score of `CycleScores` by which the best epoch is kept, such as "x_so"; needs
        `validation` in `fit`. None keeps the weights of the end.
    patience : int, default=None
        Epochs without a better score after which training stops; those of the warm-up don't count
        where critics play. None trains to the last epoch.
    checkpoint : str or path-like, default=None
        Directory of this fit alone that keeps the state of training, for ``fit(resume=True)``.
    checkpoint_every : int, default=1
        Epochs from one checkpoint to the next; the last two are kept.
    warm_start : bool, default=False
        Whether a later `fit` trains the networks on: `max_epochs` more, the rates falling along
        a new cosine from `learning_rate`, on the components and networks there are.
    random_state : int, RandomState instance or None, default=None
        An int gives bit-identical translators on one machine.
    device : str, default="auto"
        Where networks are trained: "auto", "cpu", "cuda" or "mps".
    verbose : int, default=1
        0 shows no progress bar.
    callbacks : list of skorch.callbacks.Callback or (str, Callback), default=None
        Called while the networks are trained, such as ``TensorBoard`` or ``EarlyStopping("x_so")``.
        They are handed ``net_``, see :doc:`/user/translation`.

    Attributes
    ----------
    network_ : PixelTranslator
        The trained network between pixels, in double precision.
    net_ : skorch.NeuralNet
        What trained it.
    split_codes_ : ndarray of shape (n_codes, n_split)
        Split latents of observed spectra, drawn once.
    subspace_ : Subspace
        Means of both domains, and joint components.
    history_ : dict of str to list
        One value per epoch for every loss term, the critics, and the six validation scores: of the
        game, before mean labels are settled; with `select_by`, after.
    mismatch_ : LabelMismatch or None
        How far the label distributions of both domains differ, with errors; None where there are
        too few spectra to tell.
    offset_covariance_ : ndarray of shape (n_shared, n_shared) or None
        How far the mean observed star may lie from where it was put, in shared latents: an error
        that all translated spectra have in common. None unless `network` is "subspace".
    starts_from_pairs_ : bool
        Whether training started from, and kept, the translation of pseudo-pairs.
    kept_epoch_ : int
        The epoch whose weights are used, from 1: the best by `select_by` of the latest training,
        else the last.
    selected_share_ : float
        Effective share of the synthetic spectra that `oversample` trained on in the last epoch: 1
        is all alike. ``history_["selected_share"]`` has every epoch.
    health_ : TrainingHealth
        What went wrong in the game, if anything, and how often it went back to a good state.
    n_shared_, n_split_ : int
        Latents in use.
    n_features_in_ : int
        Number of pixels.
    wavelength_ : Quantity of shape (n_pixels,) or None
        The grid of `fit`, in Angstrom.

    See Also
    --------
    CycleGANTranslator.published : The method as it was published.
    MeanShiftTranslator, LinearTranslator, PseudoPairTranslator : The baselines.
    ObservedEmulator : Labels to observed spectra.
    spectragan.cycle_scores : Scores on pairs.

    Notes
    -----
    The translator minimises, with the weights :math:`\lambda`,

    .. math:: \lambda_{\rm rec} L_{\rm rec} + \lambda_{\rm cyc} L_{\rm cyc}
              + \lambda_{\rm lat} L_{\rm lat} + \lambda_{\rm adv} L_{\rm adv}
              + \lambda_{\rm id} L_{\rm id}.

    Reconstruction and cycle are squared errors in units of the spectra's own, with a floor; the
    latent term compares latents before and after translation; the adversarial one is the game
    with the critics, which are shown reconstructions as real; the identity term grows linearly
    with the change of flux at a pixel, so that a few lines may change a lot. Warm-up starts from
    the rotation of the linear latents under which most pixels agree.

    Where a gap is sparse, but for what all lines have in common, counterparts of observed stars
    can be inferred (see `PseudoPairTranslator`). Then the subspace networks start from the
    translation that these give in closed form, the identity term counts changes from there, and
    what the shared latents translate in the end is that translation: the game has not improved on
    it in any trial, and adds the split latents and the way back. ``starts_from_pairs_`` says so.

    Synthetic spectra don't have the split latents of the star they stand for: `transform`
    averages over those of observed stars, `sample` draws them.

    In a Pipeline, steps before this one transform `X` only: give the domain of every row as `y`
    there, not the observed spectra.

    References
    ----------
    .. [1] O'Briain, T. et al. 2021, "Cycle-StarNet: bridging the gap between theory and data by
       leveraging large data sets", ApJ, 906, 130, arXiv:2007.03109.
    .. [2] Huang, Y. et al. 2024, "The GAN is dead; long live the GAN!", arXiv:2501.05441.
    .. [3] Sinha, S. et al. 2020, "Top-k Training of GANs", NeurIPS, arXiv:2002.06224.

    Examples
    --------
    >>> from spectragan import CycleGANTranslator
    >>> from spectragan.datasets import make_mock_domains
    >>> mock = make_mock_domains(200, 200, n_pixels=100, random_state=0)
    >>> translator = CycleGANTranslator(max_epochs=3, warmup_epochs=1, verbose=0)
    >>> translator.fit(mock.synthetic, mock.observed).transform(mock.synthetic).shape
    (200, 100)
    """

    _kept: ClassVar = {
        "_representation": "SubspaceRepresentation|PixelRepresentation k p",
        "network_": "SubspacePixels|PixelTranslator p k s t",
        "n_shared_": "count s",
        "n_split_": "count t",
        "split_codes_": "array c t",
        "_latent_shapes": "shapes s t",
        "history_": "history",
        "health_?": "TrainingHealth",
        "starts_from_pairs_?": "flag",
        "kept_epoch_?": "number",
        "selected_share_?": "number",
        "mismatch_?": "LabelMismatch?",
        "offset_covariance_?": "array? s s",
    }
    _left_out = ("net_",)
    _gone = ("compile", "precision")

    _rules = RULES

    def __init__(
        self,
        network: str | nn.Module = "subspace",
        *,
        n_shared: int | None = None,
        n_split: int | None = None,
        n_components: int | None = None,
        adversarial: str | None = "rpgan",
        reconstruction_weight: float | tuple[float, float] = 1.0,
        cycle_weight: float | tuple[float, float] = 1.0,
        latent_weight: float = 1.0,
        adversarial_weight: float = 1.0,
        identity_weight: float | None = None,
        start_weight: float = 1.0,
        penalty: float = 0.05,
        hidden: tuple[int, ...] = (64, 64),
        width: float | None = None,
        critic: nn.Module | None = None,
        n_codes: int = 32,
        max_epochs: int | None = None,
        warmup_epochs: int | None = None,
        steps_per_epoch: int | None = None,
        batch_size: int | None = None,
        learning_rate: float | None = None,
        betas: tuple[float, float] | None = None,
        schedule: str | Sequence[int] = "cosine",
        ema_decay: float | None = None,
        error_floor: float | None = None,
        reencode_noise: bool = True,
        critic_split: str = "lent",
        critics_first: bool = True,
        undo_bad_epochs: bool = True,
        match_labels: bool | str = "auto",
        oversample: int | None = None,
        select_by: str | None = None,
        patience: int | None = None,
        checkpoint: str | Path | None = None,
        checkpoint_every: int = 1,
        warm_start: bool = False,
        random_state: int | np.random.RandomState | None = None,
        device: str = "auto",
        verbose: int = 1,
        callbacks: Sequence[Any] | None = None,
    ) -> None:
        self.network = network
        self.n_shared = n_shared
        self.n_split = n_split
        self.n_components = n_components
        self.adversarial = adversarial
        self.reconstruction_weight = reconstruction_weight
        self.cycle_weight = cycle_weight
        self.latent_weight = latent_weight
        self.adversarial_weight = adversarial_weight
        self.identity_weight = identity_weight
        self.start_weight = start_weight
        self.penalty = penalty
        self.hidden = hidden
        self.width = width
        self.critic = critic
        self.n_codes = n_codes
        self.max_epochs = max_epochs
        self.warmup_epochs = warmup_epochs
        self.steps_per_epoch = steps_per_epoch
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.betas = betas
        self.schedule = schedule
        self.ema_decay = ema_decay
        self.error_floor = error_floor
        self.reencode_noise = reencode_noise
        self.critic_split = critic_split
        self.critics_first = critics_first
        self.undo_bad_epochs = undo_bad_epochs
        self.match_labels = match_labels
        self.oversample = oversample
        self.select_by = select_by
        self.patience = patience
        self.checkpoint = checkpoint
        self.checkpoint_every = checkpoint_every
        self.warm_start = warm_start
        self.random_state = random_state
        self.device = device
        self.verbose = verbose
        self.callbacks = callbacks

    @classmethod
    def published(cls, mock: bool = False, **parameters: Any) -> "CycleGANTranslator":
        """Return a translator with every choice of the published method, Cycle-StarNet [1]_.

        It is an ordinary one: only its parameters differ from the defaults. It starts from random
        weights, plays from the first step on, and uses the last weights as they are.

        Parameters
        ----------
        mock : bool, default=False
            Whether distances weigh as in the published trial on a mock, 90 in both domains, and
            not as on real spectra, 3 for synthetic and 9 for observed ones.
        **parameters
            Others than the published ones, by name.

        Returns
        -------
        translator : CycleGANTranslator
            Not fitted. 50 epochs of 1,000 steps are a tenth of the published length, which is
            ``max_epochs=500``. With 7,167 pixels a step takes 0.85 s on one core.

        Notes
        -----
        Flux is taken to be normalised to its continuum: the error floor is 0.005 of it. Here,
        as not there, the error of a spectrum is the mean over its good pixels alone, spectra are
        padded rather than cut to a length that the strides reproduce, masked pixels are filled
        with the mean of their domain, and `transform` averages over split codes. There, pixels
        with errors above 0.05 were masked beforehand.

        References
        ----------
        .. [1] O'Briain, T. et al. 2021, ApJ, 906, 130, arXiv:2007.03109.

        Examples
        --------
        >>> from spectragan import CycleGANTranslator
        >>> translator = CycleGANTranslator.published(max_epochs=500, random_state=0)
        >>> translator.reconstruction_weight, translator.batch_size
        ((3.0, 9.0), 8)
        """
        return cls(**(published(mock) | parameters))

    def _after_loading(self) -> None:
        """Check the latents of a loaded translator, and give it the history of its training."""
        with torch.no_grad():
            blank = torch.zeros(1, self.n_features_in_, dtype=torch.float64)
            latents = self.network_.encode(blank, OBSERVED)
        found = tuple(tuple(part.shape[1:]) for part in latents)
        if found != self._latent_shapes:
            raise refusal("the latents must have the shapes that the model says", found)
        rows = epoch_rows(self.history_, getattr(self, "kept_epoch_", None))
        self.kept_epoch_ = int(getattr(self, "kept_epoch_", len(rows)))  # older files have none
        self.selected_share_ = getattr(self, "selected_share_", 1.0)
        self.net_ = LoadedNet(self.network_.network, rows)

    @plain_torch()
    def fit(
        self,
        X: Any,
        y: Any = None,
        *,
        anchors: Any = None,
        labels: Any = None,
        validation: Any = None,
        resume: bool = False,
    ) -> "CycleGANTranslator":
        """Learn to translate from unpaired spectra.

        Parameters
        ----------
        X : spectra of shape (n_spectra, n_pixels)
            Of both domains; or the synthetic ones alone; or a fitted `SpectrumEmulator` or another
            emulator (`spectragan.interop`), from which spectra with labels like those of the
            observed stars are drawn.
        y : array-like of shape (n_spectra,), or spectra of shape (n_observed, n_pixels)
            The domain of every row of `X` (0 synthetic, 1 observed), or the observed spectra.
        anchors : tuple of (observed spectra, partners), default=None
            A few stars whose labels are known, with their synthetic spectra row by row (or, with
            an emulator, their labels). They tell a gap from a difference of labels.
        labels : RoughLabels, default=None
            Catalogue or photometric labels of observed stars, with their errors: another way to
            tell a gap from a difference of labels.
        validation : tuple of (synthetic, observed) spectra, default=None
            Pairs, row by row, that are scored after each epoch (see `cycle_scores`) and never
            trained on.
        resume : bool, default=False
            Whether to go on from the newest readable checkpoint, as if training had never
            stopped; without one, training starts anew.

        Returns
        -------
        self : object
            Fitted.

        Raises
        ------
        CheckpointError
            If `checkpoint` can't be used, or holds checkpoints: of other data or parameters with
            `resume`, any without.
        GridMismatchError
            If the domains are on different grids.
        ValueError
            If a domain is missing or has fewer than 2 usable spectra, or a parameter breaks its
            rule.

        Warns
        -----
        CheckpointWarning
            If a checkpoint can't be written or read; training goes on.
        DomainScaleWarning
            If the flux scales of the domains differ grossly.
        FewSpectraWarning
            If a domain has fewer than 30 spectra.
        LabelMismatchWarning
            If the label distributions of the domains seem to differ.
        SubspaceTruncationWarning
            If the components miss what the latents say about many pixels.
        TrainingHealthWarning
            If the game went wrong, and had to go back to an earlier state.
        """
        earlier = earlier_training(self)
        check_parameters(self.get_params(deep=False), is_new=earlier is None)
        source, X = X, emulated(X, y)
        parts = self._fit_domains(X, y, reset=earlier is None)
        warn_of_few(*map(len, parts))
        known, partners = read_known(self, anchors, labels, source, (X, y))
        pairs = check_pairs(validation, partial(self._validate, reset=False), self)
        warn_if_unlike({"anchors": partners, "validation": pairs}, parts)
        data: dict[str, Any] = {"synthetic": parts[0], "observed": parts[1], "validation": pairs}
        data |= {"anchor": partners, "label": getattr(labels, "parts", None)}
        device = resolve_device(self.device)
        checkpoints = open_fit(self, data, resume=resume)
        parts, found = match_labels(self, parts, known, drawn=source is not X)
        self.mismatch_ = None if found is None else found.mismatch
        domains = (domain_data(parts[0]), domain_data(parts[1]))
        with seeded(checkpoints.seeds, device) as rng:
            parameters = self.get_params(deep=False)
            game = build_game(domains, parameters, device, rng, found=found, earlier=earlier)
            self.subspace_, self._representation = game.subspace, game.representation
            self.starts_from_pairs_ = game.pseudo_map is not None
            rows = np.sort(rng.permutation(len(parts[OBSERVED]))[: self.n_codes])
            donors = parts[OBSERVED][rows]
            net = game.make_net(self._callbacks(pairs, domains, donors, game.pseudo_map, found))
            train(net, game.rows, checkpoints, game.threads())
            trained, self.offset_covariance_ = settle_offset(
                net.average_, self._representation, domains, found
            )
            self._take_network(trained, domains, donors, game.pseudo_map)
        if isinstance(self.network_, SubspacePixels):
            warn_of_truncation(self.network_, self.subspace_, domains[OBSERVED])
        self._take_history(net)
        self.health_ = judge_health(net)
        return self

    def compose(self, emulator: Any) -> SpectrumModel:
        """Return the model of observed spectra, with split latents of each star's own.

        Parameters
        ----------
        emulator : SpectrumEmulator or object with `predict` and `jacobian`
            Fitted; labels to synthetic spectra.

        Returns
        -------
        model : SpectrumModel
            Without split latents where the emulator only predicts arrays: averaged over
            ``split_codes_`` then.
        """
        model = spectrum_model(emulator)
        if not isinstance(model, EmulatorModel):
            return super().compose(emulator)
        network, fill = self.network_, partial(self._complete, usable=model.usable)
        latents: dict[str, Any] = {"usable": np.ones_like(model.usable)}
        if self.n_split_:
            latents["codes"] = self.split_codes_
            latents["encode"] = lambda spectra: self.encode(spectra, OBSERVED).split
        if not isinstance(network, SubspacePixels):

            def translate(x: torch.Tensor, split: torch.Tensor) -> torch.Tensor:
                return network.decode(
                    network.encode(x, SYNTHETIC)[0], self._shape(split, 1), OBSERVED
                )

            return model.mapped(fill).through(translate, **latents)
        means, components = self.subspace_.means[SYNTHETIC], self.subspace_.components.T
        entrance = model.mapped(lambda x: (fill(x) - means) @ components)

        def combine(x: torch.Tensor, split: torch.Tensor) -> torch.Tensor:
            return network.coefficients(network.network.encode(x, SYNTHETIC)[0], split, OBSERVED)

        scale = network.scale.numpy()
        return entrance.mapped(lambda x: x / scale).through(
            combine, basis=network.basis(OBSERVED), **latents
        )

    def _take_history(self, net: TranslatorNet) -> None:
        self.net_ = net
        self.history_: dict[str, list[float]] = epoch_history(net)
        self.kept_epoch_ = net.kept_epoch
        self.selected_share_ = self.history_.get("selected_share", [1.0])[-1]

    @plain_torch()
    def _take_network(
        self, trained: nn.Module, domains: Any, donors: Spectra, kept: PseudoMap | None
    ) -> None:
        """Set what `transform` needs: a trained network, and the split codes of `donors`."""
        network: Any = deepcopy(trained).to("cpu", torch.float64).eval()
        self.network_: Any = self._representation.to_pixels(network, domains)
        probe = torch.zeros(1, self.n_features_in_, dtype=torch.float64)
        with torch.no_grad():
            shared, split = self.network_.encode(probe, OBSERVED)
        self._latent_shapes = tuple(shared.shape[1:]), tuple(split.shape[1:])
        self.n_shared_, self.n_split_ = (int(np.prod(shape)) for shape in self._latent_shapes)
        self.split_codes_ = self.encode(donors, OBSERVED).split
        if kept is not None and isinstance(self.network_, SubspacePixels):
            synthetic = domains[SYNTHETIC]
            some = synthetic.take(slice(None, None, -(-len(synthetic) // KEPT_ROWS)))
            flux = self._representation.fill(some, SYNTHETIC)
            keep_translation(self.network_, flux, kept.translate(flux), self._codes())

    def _callbacks(
        self,
        pairs: tuple[Spectra, Spectra] | None,
        domains: Any,
        donors: Spectra,
        kept: PseudoMap | None,
        found: Match | None,
    ) -> list[Any]:
        if pairs is None:
            return list(self.callbacks or [])

        def score(net: Any) -> dict[str, float]:
            trained = net.average_
            if self.select_by is not None:  # what comes out in the end is to be the best
                trained, _ = settle_offset(trained, self._representation, domains, found)
            self._take_network(trained, domains, donors, kept)
            return cycle_scores(self, *pairs, random_state=0).as_dict()

        return [("validation", EpochScores(score)), *(self.callbacks or [])]

    def _input(self, spectra: Spectra, domain: int) -> np.ndarray:
        return self._representation.fill(memory_data(spectra), domain)

    @plain_torch()
    def _translate(
        self, flux: np.ndarray, domain: int, codes: np.ndarray | None = None
    ) -> np.ndarray:
        used = self._codes(codes)

        def translate(x: torch.Tensor) -> torch.Tensor:
            shared, _ = self.network_.encode(x, domain)
            if domain == SYNTHETIC:
                return self.network_.decode_average(shared, used)
            return self.network_.decode(shared, shared[:, :0], SYNTHETIC)

        return map_exactly(translate, flux)

    @plain_torch()
    def _push_forward(
        self, flux: np.ndarray, tangents: np.ndarray, codes: np.ndarray | None = None
    ) -> np.ndarray:
        used = self._codes(codes)

        def translate(x: torch.Tensor) -> torch.Tensor:
            return self.network_.decode_average(self.network_.encode(x, SYNTHETIC)[0], used)

        return map_exactly(lambda x, d: push_forward(translate, x, d), flux, tangents)

    @plain_torch()
    def _encode(self, flux: np.ndarray, domain: int) -> Latents:
        def encode(x: torch.Tensor) -> torch.Tensor:
            shared, split = self.network_.encode(x, domain)
            return torch.cat([shared.flatten(1), split.flatten(1)], dim=1)

        latents = map_exactly(encode, flux)
        return Latents(latents[:, : self.n_shared_], latents[:, self.n_shared_ :])

    @plain_torch()
    def _decode(self, shared: np.ndarray, split: np.ndarray | None, domain: int) -> np.ndarray:
        if split is None:
            codes = self._codes()
            if domain == OBSERVED:
                return map_exactly(
                    lambda z: self.network_.decode_average(self._shape(z, 0), codes), shared
                )
            split = np.zeros((len(shared), self.n_split_))
        return map_exactly(
            lambda z, s: self.network_.decode(self._shape(z, 0), self._shape(s, 1), domain),
            shared,
            split,
        )

    def _codes(self, codes: np.ndarray | None = None) -> torch.Tensor:
        return self._shape(torch.as_tensor(self.split_codes_ if codes is None else codes), 1)

    def _shape(self, latents: torch.Tensor, which: int) -> torch.Tensor:
        return latents.reshape(len(latents), *self._latent_shapes[which])
