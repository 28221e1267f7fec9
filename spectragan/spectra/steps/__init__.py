"""Transformers of spectra, one file each: continuum, velocity, resolution, grid, noise, masks."""
