"""Whose the package's files are, in Debian's form: `python copyright.py ROOT > copyright`.

From what is installed below ROOT: each wheel with the licence that it names, who holds it, and the
files that have its words. https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from importlib.metadata import Distribution, distributions
from pathlib import Path

OWN = """\
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: VoxGate
Comment: licences.md beside this file says in a line each what wheels bundle.

Files: *
Copyright: 2026 the VoxGate authors
License: Apache-2.0

License: Apache-2.0
 On Debian systems the whole text is in /usr/share/common-licenses/Apache-2.0."""
HELD = re.compile(r"^\W*(?:Copyright|\(c\)|©)[\s:]+(.*\d{4}.*?)\W*$", re.IGNORECASE | re.MULTILINE)
WORDS = re.compile(r"licen[cs]e|copying|notice", re.IGNORECASE)
MOST_HOLDERS = 8


def copyright_of(root: Path) -> Iterator[str]:
    """The file's paragraphs."""
    yield OWN
    (site,) = (root / "usr/lib/voxgate/lib").glob("python3.*/site-packages")
    wheels = (each for each in distributions(path=[str(site)]) if each.name != "voxgate")
    for wheel in sorted(wheels, key=lambda each: each.name.lower()):
        yield "\n" + "\n".join(_paragraph(wheel, site, site.relative_to(root)))


def _paragraph(wheel: Distribution, site: Path, place: Path) -> Iterator[str]:
    tops, texts = _tops(wheel), _texts(wheel)
    yield "Files: " + "\n ".join(f"{place}/{top}" for top in tops)
    yield "Copyright: " + "\n ".join(_holders(wheel, [site / text for text in texts]))
    yield f"License: {_licence(wheel)}"
    yield f" {wheel.name} {wheel.version}, unchanged. Its words are in:"
    yield from (f" /{place}/{text}" for text in texts or [f"{_info(wheel)}/METADATA"])


def _files(wheel: Distribution) -> list[str]:
    return sorted(str(file) for file in wheel.files or ())


def _tops(wheel: Distribution) -> list[str]:
    """What it puts beside others, folders with a star."""
    inside = [file for file in _files(wheel) if not file.startswith("..")]
    return sorted({f"{a}/*" if rest else a for a, _, rest in (f.partition("/") for f in inside)})


def _texts(wheel: Distribution) -> list[str]:
    info = [file for file in _files(wheel) if ".dist-info/" in file]
    return [file for file in info if WORDS.search(file.rpartition("/")[2])]


def _info(wheel: Distribution) -> str:
    return next(f.partition("/")[0] for f in _files(wheel) if ".dist-info/" in f)


def _holders(wheel: Distribution, texts: list[Path]) -> list[str]:
    """As its licences say; else who made it, else its project."""
    said = [held for text in texts for held in HELD.findall(text.read_text("utf-8", "replace"))]
    named = [" ".join(each.split()) for each in dict.fromkeys(said)]
    made = _said(wheel, "Author") + _said(wheel, "Author-email")
    return named[:MOST_HOLDERS] or made[:1] or [f"the {wheel.name} authors"]


def _licence(wheel: Distribution) -> str:
    """In one word where it can be: as its metadata says."""
    classes = [c.rpartition(" :: ")[2] for c in _said(wheel, "Classifier") if "License" in c]
    short = _said(wheel, "License-Expression") or ["; ".join(classes)] * bool(classes)
    (word, *_) = short or _said(wheel, "License") or ["as below"]
    return word.partition("\n")[0].replace(" AND ", " and ").replace(" OR ", " or ")


def _said(wheel: Distribution, key: str) -> list[str]:
    return [value.strip() for value in wheel.metadata.get_all(key, []) if value.strip()]


if __name__ == "__main__":
    sys.stdout.write("\n".join(copyright_of(Path(sys.argv[1]))) + "\n")
