"""Synthetic spectra to observed ones, and back, learnt without pairs.

In reading order:

- `estimator`: `CycleGANTranslator`, what a user sees; `parameters`, its rules and defaults.
- `base`: what all translators share; `baselines` and `closed_form`, those without a network;
  `ensemble`, many of one kind, with the errors of what they translate.
- `game/`: how the networks are trained: `maps`, the method's equations; `losses`; `players`, who
  steps when; `net`, the skorch net; `health`; `setup`, which makes them ready.
- `matching/`: the labels of both domains: how far they differ, and which rows are alike.
- `networks/`: the torch modules, and what a module of your own must do.
- `domain_data`: spectra of one domain as numbers; `subspace`, `representation`: as networks see
  them.
- `observed`: `ObservedEmulator`, an emulator behind a translator.
- `scores`, `residuals`: how well a translator does, with pairs and without.
"""
