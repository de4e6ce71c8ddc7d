"""Plots of the report, as SVG. Without pygal (scripts/setup-python) there are none."""

try:
    import pygal
    from pygal.style import CleanStyle
except ImportError:
    pygal = None

OPTIONS = {"js": (), "width": 800, "height": 360, "dots_size": 1.5, "legend_at_bottom": True, "x_label_rotation": 0,
           "truncate_legend": -1, "include_x_axis": True}


def series_plot(path, title, x_title, series):
    """`series`: by name, pairs of x and y."""
    chart = pygal.XY(style=CleanStyle, title=title, x_title=x_title, **OPTIONS)
    for name, points in series.items():
        chart.add(name, [tuple(point) for point in points])
    chart.render_to_file(str(path))


def bar_plot(path, title, bars):
    """`bars`: by name, one value each."""
    chart = pygal.HorizontalBar(style=CleanStyle, title=title, **OPTIONS)
    for name, value in bars.items():
        chart.add(name, value)
    chart.render_to_file(str(path))


def draw(folder, name, found):
    """The plots of one part. Returns the files' names."""
    if pygal is None:
        return []
    made = []
    for plot in found.get("series", []):
        file = f"{name}-{plot['name']}.svg"
        series_plot(folder / file, plot["title"], plot["x"], plot["lines"])
        made.append(file)
    ratios = {f"{figure['name']}, of {figure['of']}": figure["ratio"] for figure in found.get("figures", [])
              if "ratio" in figure}
    if ratios:
        bar_plot(folder / f"{name}-ratios.svg", f"{name}: ratios", ratios)
        made.append(f"{name}-ratios.svg")
    beside = {figure["name"]: figure["value"] for figure in found.get("figures", []) if figure["name"].startswith("p99 ")}
    if beside:
        bar_plot(folder / f"{name}-p99.svg", f"{name}: p99 in ms", beside)
        made.append(f"{name}-p99.svg")
    return made
