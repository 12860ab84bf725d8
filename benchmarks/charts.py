"""Draws the charts of README.md from the figures that compile.py and pipelines.py have written.

    uv run --no-project --with matplotlib python benchmarks/charts.py [compile] [pipelines]

figures/NAME.json -> figures/NAME.png
"""

from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
import matplotlib.pyplot as plt
from matplotlib.ticker import FuncFormatter

FIGURES: Final = Path(__file__).with_name("figures")
_PLAIN: Final = FuncFormatter(lambda value, _: f"{value:,.0f}")
_BLUE, _ORANGE, _GREY, _LIGHT = "#2b6cb0", "#c05621", "#718096", "#e2e8f0"
_SIDES: Final = {
    "recipe": ("by hand: the guides' recipe, mended", _ORANGE),
    "tuned": ("by hand: pulls what it needs", "#ecc94b"),
    "swath": ("Swath", _BLUE),
}


def main() -> None:
    """Draw the charts that are asked for; both by default."""
    mpl.rcParams.update({
        "font.size": 9, "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "grid.color": _LIGHT,
        "axes.axisbelow": True, "axes.titlesize": 10, "axes.titlelocation": "left", "legend.frameon": False,
        "savefig.dpi": 110, "svg.hashsalt": "swath",
    })  # fmt: skip
    charts = {"compile": draw_compile, "pipelines": draw_pipelines}
    for name in sys.argv[1:] or charts:
        figure = charts[name](json.loads((FIGURES / f"{name}.json").read_text()))
        figure.savefig(FIGURES / f"{name}.png", metadata={"Software": None}, bbox_inches="tight")


def draw_compile(rows: list[dict[str, Any]]) -> plt.Figure:
    """Time, jobs and bytes over stages, with the bars that are to be held at 9,902."""
    figure, (time, jobs, size) = plt.subplots(1, 3, figsize=(10, 3), constrained_layout=True)
    stages = [row["stages"] for row in rows]
    time.plot(stages, [row["changed_cpu_s"] for row in rows], "o-", color=_BLUE, label="all changed")
    time.plot(stages, [row["unchanged_cpu_s"] for row in rows], "s--", color=_ORANGE, label="none changed")
    jobs.plot(stages, [row["jobs"] for row in rows], "o-", color=_BLUE)
    size.plot(stages, [row["bytes"] / 1000 for row in rows], "o-", color=_BLUE)
    for axes, title, bars in (
        (time, "seconds of processor", ((15, "bar, all changed", _BLUE), (5, "bar, none changed", _ORANGE))),
        (jobs, "jobs, all changed", ((500, "bar", _GREY),)),
        (size, "kB of YAML, all changed", ((2000, "bar", _GREY),)),
    ):
        axes.set(xscale="log", xlabel="stages", title=title)
        axes.xaxis.set_major_formatter(_PLAIN)
        if axes is not time:
            axes.set(yscale="log", ylim=(1, 2 * bars[0][0]))
            axes.yaxis.set_major_formatter(_PLAIN)
        for value, text, colour in bars:
            axes.axhline(value, color=colour, linewidth=0.8, linestyle=":")
            axes.annotate(
                f"{text}: {value:,}", (stages[0], value), (0, 2), textcoords="offset points", color=colour, fontsize=8
            )
    time.set_ylim(0, 17)
    time.legend(loc="center left")
    return figure


def draw_pipelines(document: dict[str, Any]) -> plt.Figure:
    """Bars by case and side: what a push takes, and what it could have cost at least."""
    found = document["pipelines"]
    cases = list(dict.fromkeys(each["case"] for each in found))
    figure, panels = plt.subplots(2, 2, figsize=(10, 6.2), constrained_layout=True)
    quantities = (
        ("seconds from push to end", lambda each: each["wall_s"]),
        ("stages that ran (line: had to)", lambda each: len(each["stages"])),
        ("MB from the DVC remote (line: least)", lambda each: each["down"] / 1e6),
        ("MB to the DVC remote (line: least)", lambda each: each["up"] / 1e6),
    )
    least = (
        None,
        lambda each: len(each["least"]["stages"]),
        lambda each: each["least"]["down"] / 1e6,
        lambda each: each["least"]["up"] / 1e6,
    )
    for axes, (title, value), lower in zip(panels.flat, quantities, least, strict=True):
        for number, (side, (label, colour)) in enumerate(_SIDES.items()):
            for at, case in enumerate(cases):
                runs = [each for each in found if (each["case"], each["side"]) == (case, side)]
                if not runs:
                    continue
                place, height = at + 0.27 * (number - 1), statistics.median(value(each) for each in runs)
                axes.bar(place, height, 0.25, color=colour, label=label if at == 0 else None)
                if title.startswith("stages") and any(each["wrong"] for each in runs):
                    axes.annotate(
                        "wrong",
                        (place, height),
                        (0, 2),
                        textcoords="offset points",
                        ha="center",
                        fontsize=7,
                        color="#c53030",
                    )
        if lower:
            for at, case in enumerate(cases):
                height = lower(next(each for each in found if each["case"] == case))
                axes.hlines(height, at - 0.42, at + 0.42, color="black", linewidth=1.2)
        axes.set_title(title)
        axes.set_xticks(
            range(len(cases)),
            [case.replace("`", "").replace(" in an image", "\nin an image") for case in cases],
            fontsize=7.5,
        )
        axes.grid(visible=False, axis="x")
    figure.legend(*panels[0][0].get_legend_handles_labels(), loc="outside upper center", ncols=3)
    return figure


if __name__ == "__main__":
    main()
