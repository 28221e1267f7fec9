"""Spectra to labels by a convolutional network, with errors.

In reading order:

- `estimator`: `StarNetRegressor`, what a user sees.
- `inputs`: what it takes, scaled pixel by pixel, from memory or from files.
- `training`: how an ensemble of networks is trained, and its errors scaled.
- `network`: the torch module.
"""
