"""Draws panels of the dashboard as an SVG from the data of a Prometheus: the picture in docs/running.md."""

import re
from html import escape

from harness.prometheus import filled, panels

# The panels' titles in the picture's order, two in a row.
SHOWN = ["Events", "Accepted requests by acknowledgement", "Request duration", "Writers", "Events in the spool", "CPU"]
COLOURS = ["#3274d9", "#e0752d", "#56a64b", "#8f3bb8", "#c4162a", "#0d9488", "#8a8a8a"]
WIDTH, HEIGHT = 440, 180  # a panel's size
LEFT, TOP, RIGHT, BOTTOM = 54, 30, 18, 40  # margins around the plot
POINTS = 120  # per line
STYLE = ("text{font:11px sans-serif;fill:#555}.t{font-weight:bold;font-size:12px;fill:#222}.p{fill:#fff;stroke:#ddd}"
         ".g{stroke:#e8e8e8}polyline{fill:none;stroke-width:1.5;stroke-linejoin:round}")


def legend(target, labels):
    return re.sub(r"{{(\w+)}}", lambda found: labels.get(found[1], ""), target["legendFormat"])


def lines(prometheus, panel, start, end):
    """(name, [(time, value)]) of each series that is not always zero."""
    step = (end - start) / POINTS
    found = [(legend(target, series["metric"]), [(float(when), float(value)) for when, value in series["values"]])
             for target in panel["targets"]
             for series in prometheus.query_range(filled(target["expr"]), start, end, step)]
    found = [(name, [(when, value) for when, value in points if value == value]) for name, points in found]
    return [(name, points) for name, points in found if any(value for _, value in points)]


def number(value, unit):
    """The number for people: 1.5k, 20 ms."""
    if unit == "s":
        return f"{value:g} s" if value >= 1 else f"{value * 1000:g} ms"
    text = f"{value / 1000:g}k" if value >= 1000 else f"{value:g}"
    return text + {"eps": "/s", "reqps": "/s"}.get(unit, "")


def ceiling(value):
    """The next larger of 1, 2, 2.5, 5, 10, 20, ..."""
    power = 10.0
    while power > value:
        power /= 10
    while power * 10 <= value:
        power *= 10
    return next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= value)


def plot(panel, series, start, end):
    unit = panel["fieldConfig"]["defaults"]["unit"]
    top = ceiling(max(value for _, points in series for _, value in points))
    width, height = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def x(when):
        return LEFT + width * (when - start) / (end - start)

    def y(value):
        return TOP + height * (1 - value / top)

    yield f'<rect class="p" x="2" y="2" width="{WIDTH - 4}" height="{HEIGHT - 4}" rx="4"/>'
    yield f'<text class="t" x="10" y="18">{escape(panel["title"])}</text>'
    for part in (0, 0.5, 1):
        at = y(top * part)
        yield f'<path class="g" d="M{LEFT} {at:.0f}h{width}"/>'
        yield f'<text x="{LEFT - 6}" y="{at + 4:.0f}" text-anchor="end">{number(top * part, unit)}</text>'
    for part in (0, 0.2, 0.4, 0.6, 0.8, 1):
        seconds = part * (end - start)
        yield f'<text x="{x(start + seconds):.0f}" y="{TOP + height + 14}" text-anchor="middle">{seconds:.0f} s</text>'
    at = LEFT
    for (name, points), colour in zip(series, COLOURS):
        line = " ".join(f"{x(when):.0f},{y(value):.1f}" for when, value in points)
        yield f'<polyline stroke="{colour}" points="{line}"/>'
        yield f'<path d="M{at} {HEIGHT - 14}h10" stroke="{colour}" stroke-width="3"/>'
        yield f'<text x="{at + 14}" y="{HEIGHT - 10}">{escape(name)}</text>'
        at += 26 + 7 * len(name)


def draw(prometheus, start, end):
    """Returns the SVG's text. Times are Unix seconds."""
    by_title = {panel["title"]: panel for panel in panels()}
    rows = (len(SHOWN) + 1) // 2
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {2 * WIDTH} {rows * HEIGHT}">',
           f"<style>{STYLE}</style>"]
    for place, title in enumerate(SHOWN):
        panel = by_title[title]
        series = lines(prometheus, panel, start, end)
        assert 0 < len(series) <= len(COLOURS), f"{len(series)} lines of {title}"
        out.append(f'<g transform="translate({place % 2 * WIDTH} {place // 2 * HEIGHT})">')
        out += plot(panel, series, start, end)
        out.append("</g>")
    return "\n".join([*out, "</svg>", ""])
