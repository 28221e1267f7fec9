#!/usr/bin/env bash
# skorch 1.4.0: a net with a second module and a second optimizer, registered as the documentation shows, under
# skorch's own callbacks.
#
# Guess:  `EarlyStopping(load_best=True)` brings both modules back to the best epoch. A changed parameter of the first
#         module builds only that one anew.
# Seen:   only `module_` comes back; the second module stays as the last epoch left it. Changing `module__bias` starts
#         both modules from random weights. `set_params(lr=...)` reaches the first optimizer only, although the second
#         took its rate from `lr`, too; an LRScheduler and GradientNormClipping know the first only.
# Means:  generator and critic, or encoder and decoder, are from different epochs after early stopping.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile torch==2.13.0 skorch==1.4.0 scikit-learn==1.9.1 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
from importlib.metadata import version

import numpy as np
import torch
from skorch import NeuralNet
from skorch.callbacks import Callback, EarlyStopping, LRScheduler

print("version: skorch", version("skorch"), "torch", version("torch"))
print("guess:   both modules come back from the best epoch")
torch.manual_seed(0)


class TwoModules(NeuralNet):
    def initialize_module(self):
        super().initialize_module()
        self.second_ = torch.nn.Linear(4, 1)
        return self

    def initialize_optimizer(self, *args, **kwargs):
        super().initialize_optimizer(*args, **kwargs)
        self.optimizer_second_ = torch.optim.Adam(self.second_.parameters(), lr=self.lr)
        return self

    def train_step(self, batch, **fit_params):
        X, y = batch
        self.optimizer_.zero_grad()
        self.optimizer_second_.zero_grad()
        loss = ((self.module_(X) - y) ** 2).mean() + ((self.second_(X) - 1) ** 2).mean()
        loss.backward()
        self.optimizer_.step()
        self.optimizer_second_.step()
        return {"loss": loss, "y_pred": X}

    def validation_step(self, batch, **fit_params):
        return {"loss": torch.tensor(abs(len(self.history) - 3.0)), "y_pred": batch[0]}  # best in epoch 3


class Record(Callback):
    def on_epoch_end(self, net, **kwargs):
        weights = [m.weight.detach().clone() for m in (net.module_, net.second_)]
        self.epochs.append((net.history[-1, "valid_loss"], *weights))


def net(*callbacks):
    named = [(f"c{i}", c) for i, c in enumerate(callbacks)]
    linear = {"module__in_features": 4, "module__out_features": 1}
    how = {"optimizer": torch.optim.Adam, "max_epochs": 6, "lr": 0.4, "verbose": 0, "callbacks": named}
    return TwoModules(torch.nn.Linear, criterion=torch.nn.MSELoss, **linear, **how)


X = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
record = Record()
record.epochs = []
stopped = net(record, EarlyStopping(load_best=True, patience=50)).fit(X, X[:, :1])
losses = [epoch[0] for epoch in record.epochs]
best, last = record.epochs[int(np.argmin(losses))], record.epochs[-1]
first_back = torch.equal(stopped.module_.weight, best[1])
second_back = torch.equal(stopped.second_.weight, best[2])
second_last = torch.equal(stopped.second_.weight, last[2])
print(f"seen:    best epoch {int(np.argmin(losses)) + 1} of {len(losses)}; first module from it: {first_back}")
print(f"seen:    second module from it: {second_back}, from the last epoch: {second_last}")
assert best is not last and first_back and second_last and not second_back

changed = net().fit(X, X[:, :1])
before = changed.second_.weight.detach().clone()
changed.set_params(module__bias=True)
kept = torch.equal(before, changed.second_.weight)
print("seen:    after set_params(module__bias=True) the second module keeps its weights:", kept)
assert not kept
changed.set_params(lr=0.01)
rates = [o.param_groups[0]["lr"] for o in (changed.optimizer_, changed.optimizer_second_)]
scheduled = net(LRScheduler("StepLR", step_size=1, gamma=0.5)).fit(X, X[:, :1])
falling = [o.param_groups[0]["lr"] for o in (scheduled.optimizer_, scheduled.optimizer_second_)]
print("seen:    rates after set_params(lr=0.01):", rates, "and under a scheduler:", falling)
assert rates == [0.01, 0.4] and falling[0] < 0.01 and falling[1] == 0.4
PYTHON
