"""File formats: one module per family of surveys, joined in one table, `registry.FORMATS`."""
