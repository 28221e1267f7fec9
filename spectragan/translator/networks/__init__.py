"""Networks of translators: torch modules that know tensors alone.

In reading order:

- `contract`: what a network and a critic must do, yours too.
- `subspace`: the default, on joint components.
- `conv`, `conv_layers`: the convolutional ones, and their layers.
- `pixels`: a trained network between pixels, in double precision.
"""
