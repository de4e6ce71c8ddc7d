"""Runs clang-tidy on our own sources, in parallel: clang_tidy.py BUILD_DIR CACHE_DIR.

Tests are left out: the compilers' warnings, the house rules and the sanitizers hold them. A source that was found
clean is not looked at again until it, a header that it includes, or .clang-tidy changes: the key is a hash of what
the preprocessor makes of it.
"""

import concurrent.futures
import hashlib
import json
import os
import pathlib
import shlex
import subprocess
import sys

TIDY = "clang-tidy-14"


def without_pch(arguments):
    """Without it, as each source includes what it needs: a source that is small then stays quick to look at."""
    result = []
    i = 0
    while i < len(arguments):
        if arguments[i : i + 3 : 2] == ["-Xclang", "-Xclang"] and arguments[i + 1] in ("-include-pch", "-include"):
            i += 4
        elif arguments[i] == "-Winvalid-pch" or arguments[i].endswith("ccache"):
            i += 1
        else:
            result.append(arguments[i])
            i += 1
    return result


def read_commands(build, root):
    commands = []
    for entry in json.loads((build / "compile_commands.json").read_text()):
        path = pathlib.Path(os.path.normpath(os.path.join(entry["directory"], entry["file"])))
        # What is compiled in groups is looked at in groups: their sources are CMake's, in the build folder.
        grouped = path.is_relative_to(build) and path.parent.name == "Unity"
        if grouped or (path.is_relative_to(root) and not path.is_relative_to(build)):
            if path.relative_to(build if grouped else root).parts[0] != "tests":
                arguments = without_pch(shlex.split(entry["command"]))
                commands.append({"directory": entry["directory"], "file": str(path), "arguments": arguments})
    return commands


def preprocessed(command):
    arguments = list(command["arguments"])
    for flag, values in (("-o", 1), ("-MF", 1), ("-MT", 1), ("-MD", 0), ("-c", 0)):
        while flag in arguments:
            at = arguments.index(flag)
            del arguments[at : at + 1 + values]
    # -CC keeps comments, and with them NOLINT.
    run = subprocess.run(arguments + ["-E", "-CC"], cwd=command["directory"], capture_output=True, check=False)
    return run.stdout if run.returncode == 0 else None


def check(command, cache, settings):
    text = preprocessed(command)
    stamp = None
    if text is not None:
        stamp = cache / hashlib.sha256(settings + text).hexdigest()
        if stamp.exists():
            stamp.touch()
            return ""
    run = subprocess.run([TIDY, "--quiet", "-p", str(cache), command["file"]], capture_output=True, text=True, check=False)
    if run.returncode == 0:
        if stamp:
            stamp.touch()
        return ""
    return run.stdout or run.stderr


def main():
    build, cache = (pathlib.Path(argument).resolve() for argument in sys.argv[1:3])
    root = pathlib.Path.cwd()
    cache.mkdir(parents=True, exist_ok=True)
    commands = read_commands(build, root)
    if not commands:
        sys.exit(f"clang_tidy.py: no sources in {build}/compile_commands.json")
    (cache / "compile_commands.json").write_text(json.dumps(commands))
    version = subprocess.run([TIDY, "--version"], capture_output=True, check=True).stdout
    settings = (root / ".clang-tidy").read_bytes() + version
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        findings = [text for text in pool.map(lambda c: check(c, cache, settings), commands) if text]
    print("\n".join(findings), end="")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
