"""Labels of the two domains: how far they differ, and what is done about it.

In reading order:

- `matching`: what `CycleGANTranslator` asks for: rows that both domains have.
- `mismatch`: the estimate of the difference, with its error.
- `pseudo_pairs`: an observed spectrum and the synthetic one that fits it; `search`, how.
- `own_changes`: continuum, broadening and velocity of each star, which say nothing of its place.
- `regression`: the gap on latents that hold noise.
- `known_stars`: counterparts or labels of some stars, which correct them.
- `sparse_gap`: the gap between them, in as few pixels as possible.
- `offset`: where the mean observed star lies, by all estimates.
"""
