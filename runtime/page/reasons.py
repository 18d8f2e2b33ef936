"""What every reason means and what to do about it, in the languages that the page speaks.

The English words are those of reports and of the documentation.
"""

from __future__ import annotations

from collections.abc import Mapping

from voxgate.runtime.nouns import Reason
from voxgate.runtime.report.advice import meaning_of

INSPECT_AGAIN = "Das Teil noch einmal prüfen."
STREAM = "Der Datenstrom des Roboters: Takt, Netz."
OTHER_PROGRAM = "Das Roboterprogramm passt nicht zum Ansichtsplan des Rezepts."
CABLE = "Kabel, Bandbreite, Kameraeinstellungen."

GERMAN: Mapping[Reason, tuple[str, str]] = {
    Reason.DEFECT: (
        "Voxel über der Schwelle, die einander berühren.",
        "Die Stelle am Teil ansehen; der Auftrag zeigt sie.",
    ),
    Reason.NO_VIEWS: (
        "Keine einzige Ansicht kam an.",
        "Auslösung, Kabel, das Programm des Roboters.",
    ),
    Reason.MISSING_VIEW: (
        "Geplante Ansichten kamen nicht an.",
        "Auslösung und Programm. Wartet der Roboter an jedem Punkt?",
    ),
    Reason.DUPLICATE_VIEW: (
        "Zwei Bilder von einem Punkt, oder eines, das schon gesendet war.",
        OTHER_PROGRAM,
    ),
    Reason.UNPLANNED_VIEW: ("Ein Bild fern von jedem geplanten Punkt.", OTHER_PROGRAM),
    Reason.FRAME_LOST: ("Eine Lücke in den Bildnummern.", "Kabel, Bandbreite, Netzkarte."),
    Reason.FRAME_INVALID: (
        "Ein beschädigtes Bild, oder eines von anderer Größe oder Form.",
        CABLE,
    ),
    Reason.DEPTH_MISSING: (
        "Das Bild kam ohne Tiefe.",
        "Die 3D-Komponente muss eingeschaltet sein.",
    ),
    Reason.CLOCK_UNSYNCED: (
        "Eine Geräteuhr wurde gestellt, oder ihr ist noch nicht zu trauen.",
        "Wer stellt die Uhr? Der nächste Auftrag ist wieder abgeglichen.",
    ),
    Reason.POSE_MISSING: ("Keine zwei Posen um die Belichtung.", STREAM),
    Reason.POSE_GAP: ("Die zwei Posen um die Belichtung liegen zu weit auseinander.", STREAM),
    Reason.POSE_INVALID: (
        "Eine Nachricht, die keine Pose ist.",
        "Reihenfolge und Länge der Quaternion; die Einheiten.",
    ),
    Reason.POSE_ORDER: (
        "Zähler oder Stempel einer Pose fiel, wiederholte sich oder sprang.",
        "Ein Programm sendet Posen, zählt jede einmal und startet nicht während eines Auftrags.",
    ),
    Reason.POSE_UNCERTAIN: (
        "Die Kamera bewegte sich zu weit in der Zeit, die nicht genau bekannt ist.",
        "Zum Belichten anhalten, langsamer fahren, oder Kamera und Roboter eine Uhr geben (PTP).",
    ),
    Reason.OUT_OF_GRID: (
        "Zu viel wurde außerhalb des Volumens gemessen, oder dort liegt etwas über der Schwelle.",
        "Ist etwas im Weg? Das Teil, sein Platz, die Kalibrierung.",
    ),
    Reason.MISALIGNED: (
        "Das Teil steht zu weit daneben, zu hoch oder zu tief, oder bewegte sich unterdessen.",
        "Das Teil richtig einlegen; ist die Auflage sauber? Sonst hat es eine andere Höhe.",
    ),
    Reason.ALIGNMENT_FAILED: (
        "Das Teil wurde nicht erkannt.",
        "Ist es das Teil dieses Rezepts? Richtig einlegen.",
    ),
    Reason.COVERAGE: (
        "Erwartete Oberfläche, die keine Ansicht gesehen hat.",
        "Etwas im Weg, eine Ansicht zu wenig, ein Spiegel, wo der Sensor blind ist.",
    ),
    Reason.CALIBRATION_DRIFT: (
        "Die Ansichten passen nur zusammen, wenn die Kamera anderswo am Roboter sitzt.",
        "Angestoßen? Lose? Die Aufnahme mit `voxgate calib verify` prüfen, dann neu kalibrieren.",
    ),
    Reason.VIEWS_DISAGREE: (
        "Nur eine Ansicht sagt einen Fehler, den andere dort nicht sehen, oder ein Fleck bleibt "
        "an einem Pixel dreier Bilder.",
        "Staub, ein Tropfen, ein Reflex? Teil und Linse putzen und noch einmal prüfen.",
    ),
    Reason.ODD: (
        "Ein Teil des Tabletts ist anders als seine Nachbarn.",
        "Die Liste der Teile sagt, welches und wo.",
    ),
    Reason.TOO_FEW: (
        "Weniger als drei Teile lassen sich vergleichen: welches von zweien anders ist, weiß "
        "niemand.",
        "Mehr Teile einer Sorte auf das Tablett legen.",
    ),
    Reason.TOUCHING: ("Teile berühren sich und sind nicht zu trennen.", "Auseinanderrücken."),
    Reason.MOVED: (
        "Ein Teil stand in manchen Ansichten anderswo.",
        "Steht das Tablett fest? Noch einmal prüfen.",
    ),
    Reason.NO_MAJORITY: (
        "Ebenso viele Teile sind anders wie regelmäßig, oder mehr.",
        "Sind sie von einer Sorte? Nur am Aussehen: wirft das Licht harte Schatten?",
    ),
    Reason.TURNED_OVER: (
        "Ein Teil liegt auf der anderen Seite, oder ist ein anderes.",
        "Umdrehen; noch einmal prüfen.",
    ),
    Reason.SCORE_INVALID: (
        "Das Modell gab einen Punktwert, der keine endliche Zahl ist.",
        "Das Rezept neu exportieren; im Protokoll stehen die Worte des Modells.",
    ),
    Reason.ENGINE_FAILED: (
        "Das Modell ist ausgefallen.",
        "Im Protokoll stehen seine Worte; dann `reset`.",
    ),
    Reason.CAMERA_LOST: (
        "Der Prozess der Kamera starb, hing oder verstummte; er wurde ersetzt.",
        "Strom und Netz der Kamera; das Protokoll des Dienstes sagt, wann.",
    ),
    Reason.QUEUE_OVERFLOW: (
        "Die Box war zu langsam für den Roboter.",
        "`timing_ms` sagt, bei welchem Schritt; Leistungsmodus, andere Programme der Box.",
    ),
    Reason.JOURNAL_FAILED: (
        "Das Urteil ließ sich vor dem Senden nicht aufschreiben.",
        "Platte voll oder nur lesbar: Platz schaffen, dann `reset`.",
    ),
    Reason.DEADLINE: (
        "Das Urteil kam nicht in der Frist `job.deadline_ms`.",
        "`timing_ms` sagt, bei welchem Schritt; sagte der Roboter `stop_job`?",
    ),
    Reason.ABORTED: ("Der Roboter hat den Auftrag aufgegeben.", INSPECT_AGAIN),
    Reason.SHUTDOWN: ("Der Dienst wurde während des Auftrags beendet.", INSPECT_AGAIN),
    Reason.CRASHED: (
        "Der Dienst starb während des Auftrags.",
        f"{INSPECT_AGAIN} Im Protokoll steht, warum.",
    ),
    Reason.NOT_DECIDED: (
        "Der Auftrag endete unfertig, oder wurde nur aufgezeichnet (`voxgate record`).",
        INSPECT_AGAIN,
    ),
}


def reasons_in(language: str) -> dict[str, dict[str, str]]:
    """Meaning and remedy of each, as plain sentences."""
    said = GERMAN if language == "de" else {reason: meaning_of(reason) for reason in Reason}
    return {
        reason.value: {"meaning": meaning.replace("`", ""), "remedy": remedy.replace("`", "")}
        for reason, (meaning, remedy) in said.items()
    }
