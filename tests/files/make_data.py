"""Write one small file per model, and what the models answer, for the present format version.

Run it once when the format version changes, never to make a test pass: the files stand for those
that users have (``python tests/files/make_data.py``).
"""

import json
import warnings
from pathlib import Path

import numpy as np

from spectragan import SpectraganWarning
from spectragan.files.layout import FORMAT_VERSION

FOLDER = Path(__file__).parent / "data"
SAVED = (
    "ContinuumNormalizer",
    "CycleGANTranslator",
    "LinearTranslator",
    "ObservedEmulator",
    "ParameterFitter",
    "Resampler",
    "SpectrumEmulator",
    "StarNetRegressor",
)


def answer(name, model, labels, observed):
    """Return what a model makes of three spectra, or of three sets of labels."""
    if name in ("ObservedEmulator", "SpectrumEmulator"):
        return model.predict(labels[:3])
    if hasattr(model, "transform"):
        return model.transform(observed[:3]).filled()
    return model.predict(observed[:3])


def main():
    """Fit, save and record."""
    # Beside this script, but not where pytest looks when it collects it.
    from conftest import label_models, small_domains, steps, translators

    labels, synthetic, observed = small_domains()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SpectraganWarning)
        models = {n: step.fit(observed) for n, step in steps(synthetic, observed).items()}
        models |= translators(synthetic, observed)
        models |= label_models(labels, synthetic, observed, models["CycleGANTranslator"])
        answers = {}
        for name in SAVED:
            models[name].save(FOLDER / f"v{FORMAT_VERSION}_{name}.safetensors")
            answers[name] = np.asarray(answer(name, models[name], labels, observed)).tolist()
    text = json.dumps(answers, indent=1)
    (FOLDER / f"v{FORMAT_VERSION}_answers.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
