"""Three descriptions of one memory: link.h, numpy's records, and the registers of the XML."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tests.kits.needs import needs_c_compiler
from voxgate.sim.gentl.build import SOURCES, compiler
from voxgate.sim.gentl.features.table import BY_NAME, FEATURES, REGISTER_BYTES
from voxgate.sim.gentl.link import CLOCK, CONTROL, MAGIC, PLAN, PULSE, TRUTH, Fault

pytestmark = needs_c_compiler
RECORDS = {
    "link_control": CONTROL,
    "link_plan": PLAN,
    "link_clock": CLOCK,
    "link_pulse": PULSE,
    "link_truth": TRUTH,
}


def _fields(record: np.dtype[Any]) -> Iterator[tuple[str, int]]:
    assert record.fields is not None
    for name, field in record.fields.items():
        yield name, int(field[1])


def _c_program() -> str:
    lines = ["#include <stddef.h>", "#include <stdio.h>", '#include "link.h"', "int main(void) {"]
    for struct, record in RECORDS.items():
        lines.append(f'printf("{struct} %zu\\n", sizeof({struct}));')
        lines += [
            f'printf("{struct}.{name} %zu\\n", offsetof({struct}, {name}));'
            for name, _ in _fields(record)
        ]
    lines += [f'printf("{fault.name} %d\\n", FAULT_{fault.name});' for fault in Fault]
    lines += ['printf("FAULTS %d\\n", FAULTS);', 'printf("magic %s\\n", LINK_MAGIC);', "}"]
    return "\n".join(lines)


def test_python_writes_where_the_camera_does_not_read(tmp_path: Path) -> None:
    source, program = tmp_path / "layout.c", tmp_path / "layout"
    source.write_text(_c_program(), encoding="utf-8")
    subprocess.run(
        [str(compiler()), f"-I{SOURCES}", str(source), "-o", str(program)], check=True, timeout=60
    )
    printed = subprocess.run([str(program)], check=True, capture_output=True, text=True, timeout=10)
    told = dict(line.rsplit(" ", 1) for line in printed.stdout.splitlines())
    assert told.pop("magic").encode() == MAGIC
    assert int(told.pop("FAULTS")) == len(Fault)
    expected = {name: record.itemsize for name, record in RECORDS.items()}
    for struct, record in RECORDS.items():
        expected |= {f"{struct}.{name}": offset for name, offset in _fields(record)}
    expected |= {fault.name: int(fault) for fault in Fault}
    assert {name: int(value) for name, value in told.items()} == expected


def test_two_registers_share_bytes() -> None:
    taken = np.zeros(REGISTER_BYTES, np.int64)
    for feature in FEATURES:
        taken[feature.address : feature.address + feature.count * feature.length] += 1
    assert taken.max() == 1


def test_a_selected_feature_has_no_selector() -> None:
    for feature in FEATURES:
        if feature.selector is not None:
            largest = max(entry.value for entry in BY_NAME[feature.selector].entries)
            assert largest < feature.count
