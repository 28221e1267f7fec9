"""Why a file can't be read, said in the words of whoever has the file."""


class FileProblem(Exception):
    """A cause and a remedy, "<cause>; <remedy>."; `read_spectra` puts the file before it."""


def first_line(error: Exception) -> str:
    """Return the first line of what an error from below says, short enough for one sentence."""
    text = str(error).strip() or "no message"
    line = " ".join(text.splitlines()[0].split())
    return line if len(line) <= 120 else f"{line[:117]}..."
