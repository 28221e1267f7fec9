"""Labels to synthetic spectra, learnt from examples.

In reading order:

- `estimator`: `SpectrumEmulator`, what a user sees.
- `training`: how its network is fitted, in closed form first, then by gradients.
- `kernels`: Gaussian processes, one per component.
- `compression`: components of the spectra that it is fitted in.
- `network`: the torch module.
- `model`: spectra as functions of labels in few numbers, for fits and for translators.
"""
