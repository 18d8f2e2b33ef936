"""A job on a page: where it is bad, why, what to do; and nothing that a browser would run."""

from __future__ import annotations

import re
from dataclasses import replace
from html import escape
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from tests.kits.journalled import passing_verdict
from voxgate.runtime.cli import app
from voxgate.runtime.errors import ScanError
from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.nouns import Outcome, Reason
from voxgate.runtime.records.evidence_folder import recording_of
from voxgate.runtime.report.advice import REASONS, meaning_of
from voxgate.runtime.report.page import Seen, page
from voxgate.runtime.report.recorded_volume import ScoredPoints
from voxgate.runtime.report.view_picture import RED, Seeing, draw
from voxgate.runtime.wire.verdict import DefectMessage, ReasonMessage, VerdictMessage

WIDTH, HEIGHT, FOCAL_PX = 120, 90, 100.0
DEFECT = DefectMessage(
    centroid_part_mm=(0.0, 0.0, 200.0),
    centroid_base_mm=(1.0, 2.0, 3.0),
    size_mm=(4.0, 4.0, 4.0),
    volume_mm3=64.0,
    peak_score=3.5,
    voxels=8,
    views=2,
)


@pytest.fixture
def seeing() -> Seeing:
    """A pinhole at the part's origin that looks along z."""
    v, u = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    x, y = (u - WIDTH / 2) / FOCAL_PX, (v - HEIGHT / 2) / FOCAL_PX
    lens = np.array([FOCAL_PX, FOCAL_PX, WIDTH / 2, HEIGHT / 2])
    return Seeing(Rays(x, y, lens), np.eye(4), 2.0)


def seen(seeing: Seeing, *points: tuple[float, float, float, float]) -> np.ndarray:
    """A black view with points x, y, z, score over it."""
    values = np.array(points)
    scored = ScoredPoints(values[:, :3], values[:, 3].astype(np.float32))
    return draw(np.zeros((HEIGHT, WIDTH), np.uint8), seeing, scored, [])


def is_red(pixel: np.ndarray) -> bool:
    """More red than anything else, as what is over the threshold."""
    return bool(pixel[2] > 100 and pixel[2] > 2 * pixel[1] and RED[2] > RED[1])


def test_a_score_lies_beside_what_is_wrong(seeing: Seeing) -> None:
    picture = seen(seeing, (10.0, -6.0, 200.0, 2.0), (10.0, 6.0, 200.0, 0.2))
    assert is_red(picture[HEIGHT // 2 - 3, WIDTH // 2 + 5])
    assert not picture[HEIGHT // 2 + 3, WIDTH // 2 + 5].any(), "a good place is marked"


def test_a_score_on_the_far_side_is_drawn_over_the_near_one(seeing: Seeing) -> None:
    picture = seen(seeing, (0.0, 0.0, 200.0, 0.1), (0.0, 0.0, 250.0, 5.0))
    assert not picture.any()


def test_what_lies_behind_the_camera_ends_the_report(seeing: Seeing) -> None:
    assert not seen(seeing, (0.0, 0.0, -50.0, 5.0), (1.0, 0.0, 0.0, 5.0)).any()


def failing(**more: object) -> VerdictMessage:
    reasons = (
        ReasonMessage(reason=Reason.DEFECT, detail="4.0 mm at <b>(0, 0, 200)</b>"),
        ReasonMessage(reason=Reason.POSE_GAP, detail="<script>alert(1)</script>"),
        ReasonMessage(reason=Reason.POSE_GAP, detail="<script>alert(1)</script>"),
    )
    known = {"outcome": Outcome.FAIL, "reasons": reasons, "defects": (DEFECT,), "defect_count": 1}
    return passing_verdict("j").model_copy(update={**known, **more})


class Tags(HTMLParser):
    """What a browser would make of it."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))


def test_a_part_id_or_a_detail_runs_in_the_readers_browser() -> None:
    picture = np.zeros((4, 4, 3), np.uint8)
    html = page(failing(part_id="a<img src=x onerror=1>"), "cell", [Seen("<i>view</i>'>", picture)])
    tags = Tags(html).seen
    assert {tag for tag, _ in tags}.isdisjoint({"script", "link", "i"})
    images = [attributes for tag, attributes in tags if tag == "img"]
    assert [set(image) for image in images] == [{"alt", "src"}]
    assert str(images[0]["src"]).startswith("data:image/jpeg;base64,")
    assert "http" not in re.sub(r"base64,[^']*", "", html)


def test_nine_times_the_same_reason_hides_the_others() -> None:
    html = page(failing(), "cell", [])
    assert html.count("pose_gap") == 1
    assert "pose_gap (2 times)" in html
    assert escape(meaning_of(Reason.POSE_GAP)[1]) in html
    assert ">defect<" not in html, "the table of defects says it"
    assert "0.0, 0.0, 200.0" in html


def test_a_reason_has_no_remedy() -> None:
    assert set(REASONS) == {reason.value for reason in Reason}
    for reason in Reason:
        assert all(text and "](" not in text for text in meaning_of(reason))


def test_a_picture_is_larger_than_a_page(seeing: Seeing) -> None:
    wide = replace(seeing, rays=replace(seeing.rays, lens=seeing.rays.lens * 20))
    picture = draw(np.zeros((HEIGHT * 20, WIDTH * 20), np.uint8), wide, None, [DEFECT])
    assert max(picture.shape) == 1000
    assert picture.any(), "the defect's number"


def test_a_file_that_is_no_recording_is_a_traceback(tmp_path: Path) -> None:
    picture = tmp_path / "picture.png"
    cv2.imwrite(str(picture), np.zeros((4, 4), np.uint8))
    done = CliRunner().invoke(app, ["report", str(picture), "--out", str(tmp_path / "x.html")])
    assert str(picture) in str(done.exception)
    assert not (tmp_path / "x.html").exists()
    done = CliRunner().invoke(app, ["report", "job-1", "--out", str(tmp_path / "x.html")])
    assert "a job's id needs --config" in str(done.exception)


def test_a_job_before_the_first_recording_is_a_traceback(tmp_path: Path) -> None:
    with pytest.raises(ScanError, match="No such file"):
        recording_of(tmp_path / "evidence", "job-1")
    (tmp_path / "evidence").mkdir()
    with pytest.raises(ScanError, match="voxgate evidence list"):
        recording_of(tmp_path / "evidence", "job-1")
