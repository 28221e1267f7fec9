"""Lines that models lack, or that a translator invents, and whose they are.

In reading order:

- `attribution`: `LineAttribution`, what a user sees; `stars`, who is judged by; `inference`,
  labels of observed stars.
- `slopes`: derivatives of the gap, and their errors; `table`, the lines found in them.
- `inventions`: features that translation adds, from mean spectra at the same latents.
"""
