"""The timeline of a drill as an SVG: one lane below the other, seconds from left to right."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from xml.etree import ElementTree

from haplane.drills.probing.lanes import Lane, Segment
from haplane.drills.reports.report import Picture

HEIGHT = {"wide": 30, "narrow": 46}
BAR = 20
AXIS = 26
LABELS = 132
LETTER = 7.2  # of the 12 px font, generously
THIN = 8
"""What is as it should be is a thin bar, everything else a full one: colour is not the only sign."""

CLASSES = {"ok": "ok", "slow": "slow", "some failed": "some", "none succeeded": "bad"}
NAMED = 5  # colours for hosts


@dataclass(frozen=True)
class Scale:
    """Seconds to pixels. ``narrow`` has each lane's name above it, for phones."""

    picture: Picture
    width: int
    narrow: bool

    @property
    def left(self) -> float:
        """Where the lanes begin."""
        return 2.0 if self.narrow else LABELS

    def x(self, seconds: float) -> float:
        """The place of a moment."""
        share = (seconds - self.picture.begin) / (self.picture.end - self.picture.begin)
        return round(self.left + share * (self.width - self.left - 4), 1)

    @property
    def row(self) -> int:
        """The height of a lane."""
        return HEIGHT["narrow" if self.narrow else "wide"]


def timeline(picture: Picture, *, narrow: bool) -> str:
    """The SVG's text. Colours are classes of the page's style sheet."""
    scale = Scale(picture, 360 if narrow else 1000, narrow)
    fault = Lane("fault", (Segment(0.0, picture.undone, "in place", None),))
    lanes = (fault, *picture.lanes)
    height = AXIS + scale.row * len(lanes) + 6
    svg = ElementTree.Element(
        "svg", viewBox=f"0 0 {scale.width} {height}", role="img", xmlns="http://www.w3.org/2000/svg"
    )
    svg.set("class", "narrow" if narrow else "wide")
    ElementTree.SubElement(
        svg, "title"
    ).text = "Timeline: what each part of the cluster did, in seconds from the fault"
    lasted = max(1.0, scale.x(picture.undone) - scale.x(0.0))
    _rect(svg, "window", x=scale.x(0.0), y=AXIS, width=lasted, height=height - AXIS)
    _axis(svg, scale, height)
    for number, lane in enumerate(lanes):
        _lane(svg, scale, lane, AXIS + number * scale.row)
    return ElementTree.tostring(svg, encoding="unicode")


def _axis(svg: ElementTree.Element, scale: Scale, height: int) -> None:
    span = scale.picture.end - scale.picture.begin
    step = next(
        one for one in (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800) if span / one <= (6 if scale.narrow else 14)
    )
    for second in range(math.ceil(scale.picture.begin / step) * step, int(scale.picture.end) + 1, step):
        x = str(scale.x(second))
        line = ElementTree.SubElement(svg, "line", x1=x, x2=x, y1=str(AXIS - 4), y2=str(height))
        line.set("class", "tick")
        anchor = "middle" if second > scale.picture.begin else "start"
        _text(svg, "axis", f"{second} s", x=float(x), y=14, anchor=anchor)


def _lane(svg: ElementTree.Element, scale: Scale, lane: Lane, top: int) -> None:
    name_y = top + 14 if scale.narrow else top + 19
    _text(svg, "lane", lane.name, x=2, y=name_y)
    bar = top + (20 if scale.narrow else 5)
    colours = {value: f"named{number % NAMED}" for number, value in enumerate(_values(lane))}
    for segment in lane.segments:
        x, width = scale.x(segment.begin), scale.x(segment.end) - scale.x(segment.begin)
        kind = _class(lane, segment, colours)
        thin = kind == "ok"
        place = {"y": bar + (BAR - THIN) / 2, "height": THIN} if thin else {"y": bar, "height": BAR}
        rect = _rect(svg, kind, x=x, width=max(1.0, width), **place)
        title = f"{lane.name}: {segment.value}, {segment.begin:.2f} s to {segment.end:.2f} s"
        ElementTree.SubElement(rect, "title").text = title
        if not thin and segment.good is None and len(segment.value) * LETTER < width:
            _text(svg, "on", segment.value, x=x + 4, y=bar + 14)


def _values(lane: Lane) -> Iterator[str]:
    """Every value once, by its host: a new term of the same leader is no other colour."""
    return iter(dict.fromkeys(segment.value.split(" (")[0] for segment in lane.segments))


def _class(lane: Lane, segment: Segment, colours: dict[str, str]) -> str:
    if lane.name == "fault":
        return "fault"
    if segment.good is None:
        return "bad" if segment.value == "nobody" else colours[segment.value.split(" (")[0]]
    return CLASSES.get(segment.value) or ("ok" if segment.good else "bad")


def _rect(
    svg: ElementTree.Element, kind: str, *, x: float, y: float, width: float, height: float
) -> ElementTree.Element:
    rect = ElementTree.SubElement(
        svg, "rect", x=f"{x:g}", y=f"{y:g}", width=f"{round(width, 1):g}", height=f"{height:g}"
    )
    rect.set("class", kind)
    return rect


def _text(svg: ElementTree.Element, kind: str, words: str, *, x: float, y: float, anchor: str = "start") -> None:
    text = ElementTree.SubElement(svg, "text", x=f"{x:g}", y=f"{y:g}")
    text.set("class", kind)
    text.set("text-anchor", anchor)
    text.text = words
