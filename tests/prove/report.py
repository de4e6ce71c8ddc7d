"""The one report out of what the parts have left: report.md and report.json."""

import json

from goals import GOALS, MISSED, NOT_RUN, number

MAX_FAULTS = 10


def load(folder, names):
    """What each part found when it was last run, by name."""
    found = {}
    for name in names:
        path = folder / f"{name}.json"
        if path.exists():
            found[name] = json.loads(path.read_text(encoding="utf-8"))
    return found


def table(header, rows, right=()):
    """Of Markdown; columns whose numbers are in `right` are set to the right."""
    lines = ["| " + " | ".join(header) + " |",
             "|" + "|".join("---:" if n in right else "---" for n in range(len(header))) + "|"]
    return lines + ["| " + " | ".join(str(cell).replace("|", "\\|") for cell in row) + " |" for row in rows]


def duration(seconds):
    minutes = round(seconds / 60)
    return f"{round(seconds)} s" if seconds < 120 else f"{minutes} min"


def part_rows(parts, found):
    for part in parts:
        one = found.get(part.name)
        if one is None:
            yield part.name, part.what, NOT_RUN, "", "", "", "", ""
            continue
        yield (part.name, part.what, one["status"], number(one["tried"]) if "tried" in one else "",
               number(one["found"]) if "found" in one else "", f"{one['scale']:g}", duration(one["seconds"]),
               f"{one['date']}, {one['commit']}")


def goal_rows(section, found):
    for goal in GOALS:
        if goal.section == section:
            judged = goal.judge(found)
            verdict = f"**{judged.verdict}**" if judged.verdict == MISSED else judged.verdict
            short = found.get(goal.part, {}).get("scale", 1) < 1 and judged.value != NOT_RUN
            yield goal.text, judged.value, judged.wanted, verdict, "short form" if short else ""


def figure_rows(one):
    for figure in one.get("figures", []):
        ratio = f"{figure['ratio']:.2f} of {figure['of']}" if "ratio" in figure else ""
        cpu = f"{figure['cpu_us_each']:.1f}" if "cpu_us_each" in figure else ""
        yield figure["name"], number(figure["value"]), figure.get("unit", ""), cpu, ratio


def details(part, one, plots):
    lines = [f"### {part.name}", "", f"{part.what[0].upper()}{part.what[1:]}.", ""]
    if one.get("note"):
        lines += [one["note"], ""]
    if one.get("counts"):
        lines += table(("counted", ""), [(name, number(count)) for name, count in one["counts"].items()], right=(1,)) + [""]
    if one.get("figures"):
        lines += table(("figure", "value", "", "CPU µs each", "ratio"), figure_rows(one), right=(1, 3)) + [""]
    for fault in one.get("faults", [])[:MAX_FAULTS]:
        lines.append(f"- found: {fault}")
    if one.get("faults"):
        lines.append("")
    for plot in plots:
        lines += [f"![{plot}]({plot})", ""]
    return lines


def write(folder, parts, machine, date, commit, plots):
    """`plots`: names of SVG files beside the report, by part. Returns the names of the goals that are missed."""
    found = load(folder, [part.name for part in parts])
    verdicts = [{"section": goal.section, "figure": goal.text, "part": goal.part, **vars(goal.judge(found))}
                for goal in GOALS]
    missed = [verdict["figure"] for verdict in verdicts if verdict["verdict"] == MISSED]
    open_ = sum(verdict["value"] == NOT_RUN for verdict in verdicts)
    lines = ["# The proof", "", f"{machine}. Written {date} at commit {commit}; each part says when it was run itself.", "",
             f"Figures that miss their goal: {len(missed)}. Not run: {open_}.", "", "## What was tried", ""]
    lines += table(("part", "what", "", "tried", "found", "scale", "took", "run"), part_rows(parts, found), right=(3, 4, 5))
    lines += ["", "`scale` 1 is the long form. `found`: promises that were broken.", "", "## Figures and goals", ""]
    for section in dict.fromkeys(goal.section for goal in GOALS):
        lines += [f"### {section}", ""]
        lines += table(("figure", "value", "goal", "", ""), goal_rows(section, found), right=(1, 2)) + [""]
    lines += ["## The parts", ""]
    for part in parts:
        if part.name in found:
            lines += details(part, found[part.name], plots.get(part.name, []))
    (folder / "report.md").write_text("\n".join(lines).rstrip("\n") + "\n", encoding="utf-8")
    whole = {"machine": machine, "date": date, "commit": commit, "goals": verdicts, "parts": found}
    (folder / "report.json").write_text(json.dumps(whole, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return missed
