"""A newcomer's path, timed: from a clone to the first figure with the README's first command.

``python -m benchmarks.newcomer [--source URL] [--output FILE]`` clones the repository to a
temporary folder and runs there, stage by stage, the command that the README gives under "See the
main job": make an environment, install, run the quickstart. It prints wall and CPU seconds of each
stage, and fails where a newcomer would.
"""

import argparse
import os
import re
import resource
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.machine import describe_machine

ROOT = Path(__file__).parents[1]
FIRST_COMMAND = r"\*\*See the main job\.\*\*.*?```sh\n(.+?)\n```"
# What a stage of the command does, by a word in it.
STAGES = {"-m venv": "environment", "pip install": "install", "examples/": "quickstart"}


def first_command(readme: str) -> list[str]:
    """Return the stages of the README's first command."""
    found = re.search(FIRST_COMMAND, readme, flags=re.DOTALL)
    if found is None:
        raise ValueError("README.md must have a command under 'See the main job'; got none.")
    return found[1].split(" && ")


def stage_name(command: str) -> str:
    """Return what a stage does."""
    return next((name for word, name in STAGES.items() if word in command), command)


def timed(command: str | list[str], folder: Path) -> tuple[float, float]:
    """Run a command; return its wall and CPU seconds."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(
        command,
        cwd=folder,
        shell=isinstance(command, str),
        env={**os.environ, "MPLBACKEND": "Agg"},
        stdout=sys.stderr,
        check=True,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.perf_counter() - start, sum(after[:2]) - sum(before[:2])


def walk(source: str) -> list[tuple[str, float, float]]:
    """Return what each stage took, from the clone to the last one."""
    with TemporaryDirectory() as folder:
        clone = Path(folder, "clone")
        command = ["git", "clone", "--quiet", source, str(clone)]
        rows = [("clone", *timed(command, Path(folder)))]
        for stage in first_command((clone / "README.md").read_text()):
            rows.append((stage_name(stage), *timed(stage, clone)))
            print(*rows[-1], file=sys.stderr, flush=True)
        if not list(clone.glob("*.png")):
            raise FileNotFoundError("the command must end in a figure; got none.")
    return rows


def main() -> None:
    """Print the table, and write it on request."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--source", default=str(ROOT), help="what to clone")
    parser.add_argument("--output", type=Path, default=None, help="Markdown file to write")
    arguments = parser.parse_args()
    where, rows = describe_machine(), walk(arguments.source)
    rows.append(("all", sum(row[1] for row in rows), sum(row[2] for row in rows)))
    table = [
        "# From a clone to the first figure\n",
        f"{where}, {os.cpu_count()} cores. Made by "
        "`benchmarks/newcomer.py`; a clone of a local repository, and what pip loads at the speed "
        "of its index or from its cache.\n",
        "| stage | wall s | CPU s |",
        "|---|---|---|",
        *(f"| {name} | {wall:.0f} | {cpu:.0f} |" for name, wall, cpu in rows),
    ]
    print("\n".join(table))
    if arguments.output is not None:
        arguments.output.write_text("\n".join(table) + "\n")


if __name__ == "__main__":
    main()
