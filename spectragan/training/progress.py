"""A progress bar over epochs, on stderr, for every skorch net of the package."""

import math

from skorch.callbacks import Callback

from spectragan.spectra.summary import progress_bar


class EpochProgress(Callback):
    """Show one tqdm bar over the epochs, with the latest values of chosen history columns.

    Parameters
    ----------
    description : str, default="training"
        The words before the bar.
    columns : tuple of str, default=("train_loss", "valid_loss")
        History columns shown behind the bar; those that have no value yet are left out.
    verbose : int, default=1
        0 shows nothing.

    Examples
    --------
    >>> from spectragan.training.progress import EpochProgress
    >>> EpochProgress("emulator", verbose=0).verbose
    0
    """

    def __init__(
        self,
        description: str = "training",
        *,
        columns: tuple[str, ...] = ("train_loss", "valid_loss"),
        verbose: int = 1,
    ) -> None:
        self.description = description
        self.columns = columns
        self.verbose = verbose

    def on_train_begin(self, net, X=None, y=None, **kwargs) -> None:
        """Open the bar; skorch calls this."""
        if self.verbose:
            self.bar_ = progress_bar(
                description=self.description, unit="epoch", total=net.max_epochs
            )

    def on_epoch_begin(self, net, dataset_train=None, dataset_valid=None, **kwargs) -> None:
        """Count epochs of a training that is resumed; skorch calls this."""
        if self.verbose:
            done = len(net.history) - 1 - getattr(net, "first_epoch_", 0)
            self.bar_.update(done - self.bar_.n)

    def on_epoch_end(self, net, dataset_train=None, dataset_valid=None, **kwargs) -> None:
        """Advance the bar by one epoch; skorch calls this."""
        if self.verbose:
            latest = net.history[-1]
            known = [n for n in self.columns if n in latest and math.isfinite(latest[n])]
            shown = {name: f"{latest[name]:.3g}" for name in known}
            self.bar_.set_postfix(shown, refresh=False)
            self.bar_.update()

    def on_train_end(self, net, X=None, y=None, **kwargs) -> None:
        """Close the bar, also after an early stop; skorch calls this."""
        if self.verbose:
            self.bar_.close()
            del self.bar_  # an open stream can be neither copied nor pickled
