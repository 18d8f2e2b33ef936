"""`voxgate scene`: which part of a tray differs from its neighbours."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from voxgate.runtime.commands.console import at_work, stdout_console
from voxgate.runtime.commands.options import AsJson, Contrast, DepthMm, SmallestMm

if TYPE_CHECKING:
    from voxgate.runtime.scenes.scene import Scene
    from voxgate.runtime.trays.scene_verdict import SceneVerdict


def scene(
    folder: Annotated[Path, typer.Argument(help="Folder of one scene: posed views of a tray.")],
    recipe: Annotated[
        Path | None, typer.Option(help="Folder of a recipe of trays; it is proven first.")
    ] = None,
    picture: Annotated[
        Path | None, typer.Option(help="Write a picture with every instance marked to this .png.")
    ] = None,
    smallest_mm: SmallestMm = None,
    contrast: Contrast = None,
    depth_mm: DepthMm = None,
    grey: Annotated[
        bool, typer.Option("--grey", help="Compare no hues: regular parts come in any colour.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Tell which part of a tray is odd: exit 0 none, 1 some, 3 INDETERMINATE, 2 wrong input."""
    import json

    from rich.table import Table

    from voxgate.runtime.instances import Wanted
    from voxgate.runtime.offline.inspect_scan import EXIT_CODES
    from voxgate.runtime.report.tray_picture import save_picture
    from voxgate.runtime.report.tray_words import as_json as verdict_json
    from voxgate.runtime.report.tray_words import rows, said
    from voxgate.runtime.scenes.open_scene import open_scene
    from voxgate.runtime.trays.doubts import too_coarse

    with at_work("judging the tray", as_json):
        shown = open_scene(folder)
        shown = shown.in_grey if grey else shown
        verdict = _judged(shown, recipe)
        wanted = Wanted(smallest_mm, contrast, depth_mm)
        verdict = verdict.doubted(too_coarse(verdict.proven, wanted))
        if picture is not None:
            save_picture(picture, shown, verdict)
    if as_json:
        typer.echo(json.dumps(verdict_json(verdict)))
    else:
        console = stdout_console()
        table = Table("id", "place", "score", "what", title=verdict.outcome.value)
        for row in rows(verdict):
            table.add_row(*row)
        console.print(table)
        if verdict.proven is not None:
            console.print(said(verdict.proven), highlight=False)
        for doubt in verdict.doubts:
            console.print(f"{doubt.reason.value}: {doubt.detail}", highlight=False)
    raise typer.Exit(EXIT_CODES[verdict.outcome])


def _judged(shown: Scene, folder: Path | None) -> SceneVerdict:
    from voxgate.runtime.common.crew import Crew
    from voxgate.runtime.offline.inspect_scan import open_tray_inspector
    from voxgate.runtime.trays.judge import judge

    if folder is None:
        with Crew(2) as crew:
            return judge(shown, crew)
    with closing(open_tray_inspector(folder, shown)) as inspector:
        return inspector.judge_scene(shown)
