"""Wheels that hold next to nothing: what is installed of them, not what it does."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path


def wheel(folder: Path, version: str, says: str = "voxgate", name: str = "voxgate") -> Path:
    """A wheel of that version with the console command: what is installed, not what it does."""
    path = folder / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}_stub.py": f'import sys\n\ndef main():\n    print("{says}", *sys.argv[1:])\n',
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": f"[console_scripts]\n{name} = {name}_stub:main\n",
    }
    record = "".join(f"{name},,\n" for name in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in {**files, f"{info}/RECORD": record}.items():
            archive.writestr(name, content)
    return path


def locked(folder: Path) -> tuple[Path, Path]:
    """A lock of one package and the folder that has it."""
    lock = folder / "lock.txt"
    if not lock.exists():
        needed = wheel(folder, "1", name="needed")
        digest = hashlib.sha256(needed.read_bytes()).hexdigest()
        lock.write_text(f"needed==1 --hash=sha256:{digest}\n")
    return lock, folder
