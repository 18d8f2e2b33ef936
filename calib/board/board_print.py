"""A board on paper: black shapes in mm, as PDF (vectors) and PNG (with its resolution written in).

Both carry the description and a ruler: a print that was scaled to fit shows on it.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from voxgate.calib.board.board import Board
from voxgate.calib.board.board_shapes import Shape, extent_mm, shapes
from voxgate.runtime.errors import CalibrationError

MM_PER_INCH = 25.4
POINTS_PER_MM = 72 / MM_PER_INCH
PAGES_MM = {
    "a4": (210.0, 297.0),
    "a3": (297.0, 420.0),
    "a2": (420.0, 594.0),
    "a1": (594.0, 841.0),
    "letter": (215.9, 279.4),
}
EDGE_MM = 6.0  # printers leave some 5 mm white
FOOT_MM = 7.0  # under the board, for text and ruler
QUIET = 0.5  # white around the board, in pitches
RULER_MM = 100.0
KAPPA = 0.5522847498  # Bezier handle of a quarter circle
MAX_PIXELS = 400_000_000


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the board's pattern lies on the page; mm from the page's top left corner."""

    page_mm: tuple[float, float]
    offset_mm: tuple[float, float]


def raster(board: Board, px_per_mm: float, margin_mm: float) -> npt.NDArray[np.uint8]:
    """The board as grey picture, 0 and 255, edges smoothed; pixel centres at (i + 0.5) / px_per_mm
    minus the margin from the pattern's top left corner."""
    left, top, right, bottom = extent_mm(board)
    size = (right - left + 2 * margin_mm, bottom - top + 2 * margin_mm)
    origin = (margin_mm - left, margin_mm - top)
    return _paint(shapes(board), size, origin, px_per_mm)


def write_board(board: Board, folder: Path, page: str, dpi: int) -> list[Path]:
    """Write board.json, board.pdf and board.png. Raises CalibrationError when it does not fit."""
    layout = place(board, page)
    files = {
        "board.json": board.to_json().encode(),
        "board.pdf": pdf(board, layout),
        "board.png": png(board, layout, dpi),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (folder / name).write_bytes(content)
    except OSError as error:
        raise CalibrationError(f"{folder}: cannot be written ({error.strerror})") from error
    return [folder / name for name in files]


def place(board: Board, page: str) -> Layout:
    """The board in the middle of a page, upright or lying. Raises CalibrationError."""
    left, top, right, bottom = extent_mm(board)
    quiet = QUIET * board.pitch_mm if board.squares else board.pitch_mm - board.feature_mm / 2
    least = max(EDGE_MM, quiet)
    width, height = right - left, bottom - top
    need = (width + 2 * least, height + 2 * least + FOOT_MM)
    if page == "fit":
        return Layout(need, (least - left, least - top))
    if page not in PAGES_MM:
        raise CalibrationError(f"page must be one of {', '.join(PAGES_MM)}, fit; got {page!r}")
    need = (width + 2 * EDGE_MM, height + 2 * EDGE_MM + FOOT_MM)
    for paper in (PAGES_MM[page], PAGES_MM[page][::-1]):
        if need[0] <= paper[0] and need[1] <= paper[1]:
            across = (paper[0] - width) / 2 - left
            return Layout(paper, (across, (paper[1] - FOOT_MM - height) / 2 - top))
    raise CalibrationError(
        f"the board of {width:g} x {height:g} mm does not fit on {page}: choose a larger page "
        "(--page fit makes one), fewer or smaller squares"
    )


def describe(board: Board) -> str:
    """One line that identifies the board on the print."""
    feature = {
        "charuco": f", markers {board.feature_mm:g} mm, {board.dictionary}",
        "aprilgrid": f", tags {board.feature_mm:g} mm, {board.dictionary}",
        "chequerboard": "",
    }.get(board.kind.value, f", diameter {board.feature_mm:g} mm")
    return f"{board.kind.value} {board.columns} x {board.rows}, {board.pitch_mm:g} mm{feature}"


# --- PNG -----------------------------------------------------------------------------------------


def png(board: Board, layout: Layout, dpi: int) -> bytes:
    """The page as PNG whose pHYs chunk says its resolution, so that it prints at true scale."""
    px_per_mm = dpi / MM_PER_INCH
    picture = _paint(shapes(board), layout.page_mm, layout.offset_mm, px_per_mm)
    _write_foot(picture, board, layout, px_per_mm)
    ok, encoded = cv2.imencode(".png", picture)
    if not ok:
        raise CalibrationError("the picture cannot be encoded")
    content = encoded.tobytes()
    header_end = 8 + 25  # signature, then IHDR
    body = b"pHYs" + struct.pack(">IIB", *[round(px_per_mm * 1000)] * 2, 1)
    chunk = struct.pack(">I", 9) + body + struct.pack(">I", zlib.crc32(body))
    return content[:header_end] + chunk + content[header_end:]


def _paint(
    black: Sequence[Shape],
    size_mm: tuple[float, float],
    origin_mm: tuple[float, float],
    px_per_mm: float,
) -> npt.NDArray[np.uint8]:
    """Coverage of every pixel, so that edges lie where they are to a fraction of a pixel."""
    width, height = (round(side * px_per_mm) for side in size_mm)
    if width * height > MAX_PIXELS:
        raise CalibrationError(f"{width} x {height} pixels are too many: choose a smaller --dpi")
    ink = np.zeros((height, width), np.float32)
    for shape in black:
        x, y = (shape.x + origin_mm[0]) * px_per_mm, (shape.y + origin_mm[1]) * px_per_mm
        across, down = shape.width * px_per_mm, shape.height * px_per_mm
        cover = _disc(x, y, across) if shape.disc else _box(x, y, across, down)
        left, top, block = cover
        ink[top : top + block.shape[0], left : left + block.shape[1]] += block[
            : height - top, : width - left
        ]
    grey: npt.NDArray[np.uint8] = np.rint(255 * (1 - np.minimum(ink, 1))).astype(np.uint8)
    return grey


def _box(x: float, y: float, w: float, h: float) -> tuple[int, int, npt.NDArray[np.float32]]:
    left, across = _cover(x, x + w)
    top, down = _cover(y, y + h)
    return left, top, np.outer(down, across).astype(np.float32)


def _cover(low: float, high: float) -> tuple[int, npt.NDArray[np.float64]]:
    """How much of each pixel lies between low and high, from the first pixel."""
    first, last = int(np.floor(low)), int(np.ceil(high))
    edges = np.clip(np.arange(first, last + 1), low, high)
    return first, np.diff(edges)


def _disc(x: float, y: float, size: float) -> tuple[int, int, npt.NDArray[np.float32]]:
    left, top = int(np.floor(x)), int(np.floor(y))
    count = int(np.ceil(size)) + 2
    fine = (np.arange(count * 8) + 0.5) / 8
    distance = np.hypot(fine + left - x - size / 2, (fine + top - y - size / 2)[:, None])
    inside = (distance <= size / 2).astype(np.float32)
    return left, top, inside.reshape(count, 8, count, 8).mean(axis=(1, 3))


def _write_foot(
    picture: npt.NDArray[np.uint8], board: Board, layout: Layout, px_per_mm: float
) -> None:
    left, bottom = EDGE_MM * px_per_mm, (layout.page_mm[1] - 2.0) * px_per_mm
    scale = 2.2 * px_per_mm / 22  # some 2.2 mm high
    cv2.putText(
        picture,
        _foot(board),
        (round(left), round(bottom)),
        cv2.FONT_HERSHEY_SIMPLEX,
        scale,
        90,
        max(1, round(px_per_mm / 10)),
        cv2.LINE_AA,
    )
    for shape in _ruler(layout):
        x, y = round(shape.x * px_per_mm), round(shape.y * px_per_mm)
        w, h = max(1, round(shape.width * px_per_mm)), max(1, round(shape.height * px_per_mm))
        picture[y : y + h, x : x + w] = 90


def _foot(board: Board) -> str:
    return f"{describe(board)}. The ruler is {RULER_MM:g} mm: print at 100 %."


def _ruler(layout: Layout) -> list[Shape]:
    """A line with a tick every 10 mm above the text; page frame, mm."""
    width = min(RULER_MM, 10 * ((layout.page_mm[0] - 2 * EDGE_MM) // 10))
    y = layout.page_mm[1] - FOOT_MM
    ticks = np.arange(0, width + 1, 10).tolist()
    return [Shape(EDGE_MM, y + 1.0, width, 0.1)] + [
        Shape(EDGE_MM + tick - 0.05, y, 0.1, 1.0) for tick in ticks
    ]


# --- PDF -----------------------------------------------------------------------------------------


def pdf(board: Board, layout: Layout) -> bytes:
    """One page of vectors at true scale (PDF 1.4, ISO 32000)."""
    content = "\n".join(_drawing(board, layout)).encode("latin-1")
    width, height = (side * POINTS_PER_MM for side in layout.page_mm)
    return _pdf_file(
        [
            b"<< /Type /Catalog /Pages 2 0 R /ViewerPreferences << /PrintScaling /None >> >>",
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 %.4f %.4f] /Contents 4 0 R "
            b"/Resources << /Font << /F 5 0 R >> >> >>" % (width, height),
            b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content),
            b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        ]
    )


def _drawing(board: Board, layout: Layout) -> Iterator[str]:
    """Operators; the page's frame is turned to mm from its top left corner, y down."""
    scale, top = POINTS_PER_MM, layout.page_mm[1] * POINTS_PER_MM
    yield f"{scale:.8f} 0 0 {-scale:.8f} 0 {top:.4f} cm"
    yield "0 g"
    for shape in shapes(board):
        moved = (shape.x + layout.offset_mm[0], shape.y + layout.offset_mm[1])
        yield (
            _pdf_disc(*moved, shape.width)
            if shape.disc
            else (f"{moved[0]:.5f} {moved[1]:.5f} {shape.width:.5f} {shape.height:.5f} re f")
        )
    yield "0.35 g"
    for shape in _ruler(layout):
        yield f"{shape.x:.4f} {shape.y:.4f} {shape.width:.4f} {shape.height:.4f} re f"
    x, y = EDGE_MM, layout.page_mm[1] - 2.0
    yield f"BT /F 3 Tf 1 0 0 -1 {x:.3f} {y:.3f} Tm ({_foot(board)}) Tj ET"


def _pdf_disc(x: float, y: float, size: float) -> str:
    r = size / 2
    cx, cy, k = x + r, y + r, r * KAPPA
    quarters = (
        (cx + r, cy + k, cx + k, cy + r, cx, cy + r),
        (cx - k, cy + r, cx - r, cy + k, cx - r, cy),
        (cx - r, cy - k, cx - k, cy - r, cx, cy - r),
        (cx + k, cy - r, cx + r, cy - k, cx + r, cy),
    )
    curves = " ".join(" ".join(f"{v:.5f}" for v in quarter) + " c" for quarter in quarters)
    return f"{cx + r:.5f} {cy:.5f} m {curves} f"


def _pdf_file(objects: Sequence[bytes]) -> bytes:
    out = bytearray(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n")
    offsets = []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    out += b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (
        len(objects) + 1,
        start,
    )
    return bytes(out)
