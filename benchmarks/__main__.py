"""`python -m benchmarks [NAME ...]`: print every figure, or the named ones, with the machine."""

from __future__ import annotations

import argparse
import importlib

from rich.console import Console

from benchmarks.machine import machine

SUITES = {
    "fusion": "lift, fuse, register, segment: ms per view against numpy, memory of a fine grid",
    "detection": "I-AUROC, V-AUPRO@1% and the shipped threshold on the public scans",
    "live": "last exposure to verdict over real sockets, idle CPU, start to READY, memory",
}


def main() -> None:
    """Run the suites in order."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*SUITES, []], help="default: all")
    names = parser.parse_args().names or list(SUITES)
    console = Console()
    console.print(machine(), highlight=False)
    for name in names:
        console.rule(f"{name}: {SUITES[name]}")
        importlib.import_module(f"benchmarks.{name}").main()


if __name__ == "__main__":
    main()
