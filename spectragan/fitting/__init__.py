"""Labels of stars, fitted with an emulator, for all stars at once.

In reading order:

- `estimator`: `ParameterFitter`, what a user sees; `parameters` and `priors`, its rules.
- `machine`: the fit of one set, made ready; `model`, shift and broadening of a spectrum.
- `fitter`: start, minimum and errors; `starts`, where fits begin, in the few numbers of `reduced`;
  `objective`, chi square and its minimiser.
- `found`, what a fit gives, `covariance`, its errors; `companions` finds second stars.
- `errors`: inflated where the model is wrong; `stream`, chunk by chunk; `results`, tables and
  posteriors.
"""
