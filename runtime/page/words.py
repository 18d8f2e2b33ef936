"""Every word of the page, in the languages that it speaks. Reasons and remedies are the box's."""

from __future__ import annotations

WORDS: dict[str, dict[str, str]] = {
    "en": {
        "PASS": "PASS",
        "FAIL": "FAIL",
        "INDETERMINATE": "NOT PROVEN",
        "SCANNING": "SCANNING",
        "WAITING": "READY",
        "DOWN": "NOT READY",
        "SILENT": "NO CONNECTION",
        "not_passed": "Treat the part as not passed.",
        "silent": "Nothing is heard of the box.",
        "part": "Part",
        "recipe": "Recipe",
        "simulated": "SIMULATED: no line may act on this",
        "last": "The last parts, the newest first",
        "why": "Why?",
    },
    "de": {
        "PASS": "GUT",
        "FAIL": "SCHLECHT",
        "INDETERMINATE": "NICHT BEWIESEN",
        "SCANNING": "PRÜFT",
        "WAITING": "BEREIT",
        "DOWN": "NICHT BEREIT",
        "SILENT": "KEINE VERBINDUNG",
        "not_passed": "Das Teil gilt als nicht gut.",
        "silent": "Von der Box ist nichts zu hören.",
        "part": "Teil",
        "recipe": "Rezept",
        "simulated": "SIMULIERT: keine Linie darf danach handeln",
        "last": "Die letzten Teile, das neueste zuerst",
        "why": "Warum?",
    },
}
USUAL = "en"


def language_of(accepted: str) -> str:
    """The first language of an Accept-Language header that is spoken here."""
    for word in accepted.split(","):
        spoken = word.split(";")[0].strip().lower()[:2]
        if spoken in WORDS:
            return spoken
    return USUAL
