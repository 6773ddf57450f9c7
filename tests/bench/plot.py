"""Draws lines and bars as an SVG: axes with round numbers, a legend, and for a series one colour in all pictures."""

import math
from html import escape

WIDTH, HEIGHT = 900, 420
LEFT, RIGHT, TOP, BOTTOM = 80, 20, 40, 50
YARDSTICK = "#777"
COLOURS = {  # of a series whose name begins with this, in any case
    "jsonl": "#1b6ca8", "sqlite alone": YARDSTICK, "sqlite": "#c9971c", "postgresql, 100": "#7d1f10",
    "postgres": "#c8553d", "ordered ids": "#2d8a4e", "random ids": "#7b4fa3",
}


def colour_of(name):
    return next((colour for begin, colour in COLOURS.items() if name.lower().startswith(begin)), YARDSTICK)


def ticks(low, high, log):
    """Round numbers from low to high."""
    if log:
        return [10**power for power in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)]
    step = 10 ** math.floor(math.log10((high - low) / 4))
    step *= next(factor for factor in (1, 2, 5, 10) if (high - low) / (step * factor) <= 8)
    return [i * step for i in range(math.floor(low / step), math.ceil(high / step) + 1)]


def axis(values, log, start, length):
    """(marks, function from a value to its position). Linear axes begin at 0."""
    low, high = (min(values), max(values)) if log else (0, max(values))
    marks = ticks(low, high if high > low else low + 1, log)
    scale = math.log10 if log else float
    first, last = scale(marks[0]), scale(marks[-1])
    return marks, lambda value: start + length * (scale(value) - first) / ((last - first) or 1)


def frame(title, height):
    size = f'viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="12"'
    return [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size}>',
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
        f'<text x="{LEFT}" y="18" font-size="14">{escape(title)}</text>',
    ]


def finished(out):
    return "\n".join([*out, "</svg>", ""])


def bars(title, values):
    """The SVG of [(name, value)]."""
    longest = max(value for _, value in values)
    out = frame(title, TOP + 24 * len(values) + 10)
    for number, (name, value) in enumerate(values):
        y, width = TOP + 24 * number, (WIDTH - 420) * value / longest
        out.append(f'<text x="290" y="{y + 14}" text-anchor="end">{escape(name)}</text>')
        out.append(f'<rect x="300" y="{y}" width="{width:.1f}" height="18" fill="{colour_of(name)}"/>')
        out.append(f'<text x="{306 + width:.1f}" y="{y + 14}">{value:,.0f}</text>')
    return finished(out)


def lines(title, x_title, series, log_x=False):
    """The SVG of {name: [(x, y)]}."""
    points = [point for found in series.values() for point in found]
    x_marks, x_at = axis([x for x, _ in points], log_x, LEFT, WIDTH - LEFT - RIGHT)
    y_marks, y_at = axis([y for _, y in points], False, HEIGHT - BOTTOM, TOP + BOTTOM - HEIGHT)
    out = frame(title, HEIGHT)
    out.append(f'<text x="{WIDTH / 2}" y="{HEIGHT - 10}" text-anchor="middle">{escape(x_title)}</text>')
    for mark in y_marks:
        at = y_at(mark)
        out.append(f'<path d="M{LEFT} {at:.1f}H{WIDTH - RIGHT}" stroke="#ddd"/>')
        out.append(f'<text x="{LEFT - 6}" y="{at + 4:.1f}" text-anchor="end">{mark:,.10g}</text>')
    for mark in x_marks:
        out.append(f'<text x="{x_at(mark):.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{mark:,.10g}</text>')
    for number, (name, found) in enumerate(series.items()):
        colour = colour_of(name)
        path = " ".join(f"{x_at(x):.1f},{y_at(y):.1f}" for x, y in found)
        out.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.2"/>')
        out.append(f'<text x="{LEFT + 10 + 200 * number}" y="{TOP - 4}" fill="{colour}">{escape(name)}</text>')
    return finished(out)


def plot(table, rows):
    """
    The SVG of a table with a plot, or None. The plot names keys of the rows: y over x as lines, a line for each name,
    or y alone as bars. It may instead draw the rows' own series, with their axes.
    """
    spec = table.plot
    if not spec or not rows:
        return None
    if "series" in spec:
        series = {f"{row['name']}, {row.get('events_per_body', 100)} a body": row["series"] for row in rows}
        return lines(f"{table.title}: {spec['series']}", spec["x"], series)
    headings = {key: heading for key, heading, _ in table.columns}
    title = f"{table.title}: {spec.get('y_title', headings[spec['y']])}"
    if "x" not in spec:
        shown = [row for row in rows if row.get(spec["y"])]
        return bars(title, [(f"{row['name']}, {row['events_per_body']} a body", row[spec["y"]]) for row in shown])
    series = {}
    for row in rows:
        series.setdefault(row["name"], []).append((row[spec["x"]], row[spec["y"]]))
    return lines(title, headings[spec["x"]], series, spec.get("log_x", False))
