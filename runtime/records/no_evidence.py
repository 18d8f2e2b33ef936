"""The silent twin of the evidence store, where the configuration asks for no recordings."""

from __future__ import annotations

from voxgate.runtime.nouns import Outcome
from voxgate.runtime.records.evidence_store import EvidenceStore, Figures, Lost, VolumeSlot, Written
from voxgate.runtime.scans.recording import JobHeader, NoRecording, Recording
from voxgate.runtime.wire.verdict import EvidenceStatus, VerdictMessage


class NoEvidence:
    """Promises nothing, so that nobody has to ask whether there is a store."""

    after_crash = EvidenceStatus.OFF
    figures = Figures(0, {}, 0, 0, oldest_age_s=0.0, queue_bytes=0, write_s=0.0)

    def start(self) -> None:
        """Nothing to open."""

    def begin(self, header: JobHeader) -> Recording:
        """A recording that forgets."""
        return NoRecording()

    def promise(self, recording: Recording, outcome: Outcome) -> EvidenceStatus:
        """None is asked for."""
        return EvidenceStatus.OFF

    def keep(self, recording: Recording, verdict: VerdictMessage, slot: VolumeSlot | None) -> None:
        """Nothing was promised."""

    def take(self) -> list[Lost]:
        """Nothing can be lost."""
        return []

    def take_written(self) -> list[Written]:
        """Nothing is written."""
        return []

    def close(self) -> bool:
        """Nothing waits."""
        return True


Evidence = EvidenceStore | NoEvidence
