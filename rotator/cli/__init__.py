"""The command line. `run` is the daemon; the others talk to a running one over its admin API.

A command's module is light: what it needs beyond Typer is imported when it runs, so that ``--help`` answers at once.
"""
