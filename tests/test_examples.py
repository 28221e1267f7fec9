"""The examples, and the scripts in the README, run as a newcomer would run them."""

import os
import re
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
EXAMPLES = sorted((ROOT / "examples").glob("plot_*.py"))
README = (ROOT / "README.md").read_text()

# "At most three minutes on two cores", as CPU time: other work on the machine doesn't count.
QUICKSTART_CPU_SECONDS = 360
HANGS_AFTER_SECONDS = 1800
# The quickstart is run as it is. The others need a minute each, much of it training networks:
# here they do so for few epochs, and as they are where `.ci/run` builds the gallery.
FEW_EPOCHS = """
import runpy, sys
from spectragan import CycleGANTranslator, StarNetRegressor

def train_shortly(cls, **parameters):
    fit = cls.fit
    cls.fit = lambda self, *args, **kwargs: fit(self.set_params(**parameters), *args, **kwargs)

train_shortly(CycleGANTranslator, max_epochs=2, warmup_epochs=1)
train_shortly(StarNetRegressor, max_epochs=2)
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def run_script(script: Path, folder: Path, *, shortly: bool = True) -> tuple[str, float]:
    """Run a script in a folder; return what it prints and the CPU seconds it took."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, *(["-c", FEW_EPOCHS] if shortly else []), str(script)],
        cwd=folder,
        env={**os.environ, "MPLBACKEND": "Agg"},
        capture_output=True,
        text=True,
        timeout=HANGS_AFTER_SECONDS,
        check=False,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 0, done.stderr
    return done.stdout, sum(after[:2]) - sum(before[:2])


def copy_to(folder: Path, script: Path) -> Path:
    """Copy a script, so that what it writes beside itself does not land in the repository."""
    return Path(shutil.copy(script, folder))


def test_there_is_a_quickstart():
    assert "plot_quickstart.py" in [path.name for path in EXAMPLES]


@pytest.mark.slow
@pytest.mark.parametrize("script", EXAMPLES, ids=lambda p: p.stem)
def test_example_runs_and_writes_figures(script, tmp_path):
    is_quickstart = script.name == "plot_quickstart.py"
    printed, seconds = run_script(copy_to(tmp_path, script), tmp_path, shortly=not is_quickstart)
    figures = list(tmp_path.rglob("*.png"))
    assert figures, "an example ends in a figure"
    assert all(figure.read_bytes().startswith(b"\x89PNG") for figure in figures)
    if is_quickstart:
        assert seconds <= QUICKSTART_CPU_SECONDS
        for row in ("raw", "mean shift", "linear", "cyclegan"):
            assert row in printed.lower(), f"the table has no row {row!r}"


@pytest.mark.parametrize("path", re.findall(r"\]\(([^)#:]+)\)", README))
def test_readme_links_point_at_files(path):
    assert (ROOT / path).exists()


@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(re.findall(r"```python\n", README))))
def test_readme_script_runs(number, tmp_path):
    code = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)[number]
    script = tmp_path / "readme.py"
    script.write_text(code)
    run_script(script, tmp_path)


def test_readme_commands_set_up_everything():
    commands = [c for c in re.findall(r"```sh\n(.*?)\n```", README, flags=re.DOTALL) if "&&" in c]
    main, tests, _ = commands
    assert "python3 -m venv" in main
    assert main.endswith("examples/plot_quickstart.py")
    assert "python3 -m venv" in tests
    assert "pytest" in tests
    assert f"<!-- ci: test command -->\n```sh\n{tests}\n```" in README
    assert all("\n" not in command for command in (main, tests))
