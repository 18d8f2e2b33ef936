"""The console command as people use it: one YAML named once, and something moves while it works."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

from docs.generate.console import commands
from voxgate.runtime.commands.options import CONFIG_VARIABLE

WORK = "from voxgate.runtime.commands.console import at_work\nwith at_work('proving'): pass"
PLACES_A_RECIPE = "voxgate build"  # its -c says how its argument is meant
AT_LEAST = 20  # commands that take a cell's YAML


def test_a_command_does_not_know_the_cell_that_the_others_know() -> None:
    takes = [
        (command.words, parameter)
        for command in commands()
        for parameter in command.parameters
        if "--config" in parameter.names or parameter.names == ("CONFIG",)
        if command.words != PLACES_A_RECIPE
    ]
    assert len(takes) >= AT_LEAST
    for words, parameter in takes:
        assert parameter.variable == CONFIG_VARIABLE, words
        assert not parameter.is_option or "-c" in parameter.names, words


def test_a_person_sees_nothing_move_for_seconds() -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-c", WORK]
    with subprocess.Popen(command, stderr=theirs, env={**os.environ, "TERM": "xterm"}) as process:
        os.close(theirs)
        process.wait()
        said = os.read(ours, 4096)
    os.close(ours)
    assert process.returncode == 0
    assert b"proving" in said


def test_a_program_reads_what_moves_for_people() -> None:
    done = subprocess.run([sys.executable, "-c", WORK], capture_output=True, check=True)
    assert done.stdout == done.stderr == b""
