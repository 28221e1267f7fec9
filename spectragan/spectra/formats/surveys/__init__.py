"""Formats of surveys, one file each: what the general reader can't see in a file is known here."""
