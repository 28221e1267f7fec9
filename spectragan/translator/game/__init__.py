"""The game between translator and critics.

In reading order:

- `maps`: the four maps and the translator's loss, as in the paper's equations.
- `losses`: distances, adversarial losses and the penalty: pure functions.
- `net`: the skorch net: both players' steps, in their order.
- `health`: what may go wrong, and the way back to a good epoch.
- `start`: what networks start from.
- `setup`: data, networks and start of a game, from an estimator's parameters.
"""
