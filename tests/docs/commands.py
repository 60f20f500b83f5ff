#!/usr/bin/env python3
"""Runs what the Markdown files tell a reader to type.

    commands.py SOURCE BUILD SCRATCH INSTEAD

A fenced block says what it is: `sh` is typed line by line in a folder that looks like a checkout, another language with a
file name (```cpp my-policy/widest.cpp) is written to that file first, and a recipe is validated, too. Code without a file
name is an `excerpt` and says so: of YAML it must parse, of C++ it stands in a template, which tests/install/excerpts.py
compares. A block without a language, code that is neither, or a command in an indented block, is an error: nothing is passed
over. Commands that take minutes or change the machine stand in INSTEAD with what is run in their place.
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys

try:
    import yaml
except ImportError:  # Debian's python3-yaml: then excerpts are not parsed
    yaml = None

FENCE = re.compile(r"^```\s*(\S*)\s*(\S*)\s*$")
INDENTED_COMMAND = re.compile(r"^(?: {4,}|\t)(?:\$ )?(?:tools/|\./|(?:cd|plumb|cmake|ctest|ninja|git|apt-get|pip|python3?) )")
SILENT = {"text", "json", "jsonl", "markdown"}
CODE = {"cpp", "yaml", "cmake"}
TESTED_ELSEWHERE = {  # projects that stand by themselves, and what needs a scheduler
    "sdk/template/README.md": "tests/install/new.sh",
    "sdk/examples/README.md": "tests/install/examples.sh",
    "sdk/README.md": "tests/install/readme.sh",
    "recipes/clusters.md": "tests/clusters/typed.py",
    "sdk/docs/debugging.md": "tests/install/sanitize.sh",
}
CODE_TESTED_ELSEWHERE = {"CONTRIBUTING.md": "tests/contributing/where.py"}  # files that belong into the tree itself
SECONDS = 120


def read_instead(file):
    instead = {}
    for number, line in enumerate(file.read_text().splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        command, arrow, other = line.partition(" => ")
        if not arrow or not other.strip():
            sys.exit(f"{file}:{number}: wanted COMMAND => WHAT IS RUN IN ITS PLACE")
        instead[command.strip()] = other.strip()
    return instead


def blocks_of(file, name):
    """(line number, language, file name, lines) of each fenced block."""
    start = None
    for number, line in enumerate(file.read_text().splitlines(), 1):
        fence = FENCE.match(line)
        if start is None and fence:
            start, language, target, lines = number, fence[1], fence[2], []
            if language not in SILENT | CODE | {"sh"}:
                sys.exit(f"{name}:{number}: a block in `{language}`; wanted one of sh, {', '.join(sorted(SILENT | CODE))}")
            if language in CODE and not target:
                sys.exit(f"{name}:{number}: {language} that nothing looks at; give it a file name (```{language} FILE), or "
                         f"say ```{language} excerpt")
        elif start is not None and line.startswith("```"):
            yield start, language, target, lines
            start = None
        elif start is not None:
            lines.append(line)
        elif INDENTED_COMMAND.match(line):
            sys.exit(f"{name}:{number}: a command in an indented block; put it between ```sh and ```")
    if start is not None:
        sys.exit(f"{name}:{start}: the block has no end")


def check_excerpt(source, name, start, language, lines):
    """An excerpt is held to what can be held: see above."""
    if language == "yaml" and yaml is not None:
        try:
            yaml.safe_load("\n".join(lines))
        except yaml.YAMLError as error:
            sys.exit(f"{name}:{start}: the excerpt is no YAML: {error}")
    template = source / "sdk" / "template" / pathlib.Path(name).stem
    if language != "yaml" and not (name.startswith("sdk/docs/") and language == "cpp" and template.is_dir()):
        sys.exit(f"{name}:{start}: nothing compares this excerpt with a source; give it a file name (```{language} FILE)")


def commands_in(lines, start):
    """Commands with the line they begin in: comments and blank lines dropped, continued lines joined."""
    command = ""
    for number, line in enumerate(lines, start + 1):
        text = re.sub(r"\s+#\s.*$", "", line).strip()
        if text.startswith("#"):
            continue
        command += text
        if command.endswith("\\"):
            command = command[:-1]
        elif command:
            yield number, re.sub(r"\s+", " ", command)
            command = ""


def checkout(source, build, folder):
    """A folder that looks like a checkout, with room for what commands leave behind."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "tools").mkdir(parents=True)
    (folder / "build").mkdir()
    (folder / "build" / "release").symlink_to(build)
    for entry in source.iterdir():
        if entry.name not in {"tools", "build", "runs", ".git"}:
            (folder / entry.name).symlink_to(entry)
    for entry in (source / "tools").iterdir():
        if entry.name != "plumb":
            (folder / "tools" / entry.name).symlink_to(entry)
    plumb = folder / "tools" / "plumb"
    plumb.write_text(f'#!/bin/sh\nexec "{build}/bin/plumb" "$@"\n')
    plumb.chmod(0o755)


def type_in(command, folder, where):
    environment = dict(os.environ, PATH=f"{folder}/tools:{os.environ['PATH']}")
    try:
        done = subprocess.run(["bash", "-euc", command], cwd=folder, env=environment, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        sys.exit(f"{where}: `{command}` takes longer than {SECONDS} s; let {sys.argv[4]} say what to run in its place")
    if done.returncode != 0:
        sys.exit(f"{where}: `{command}` ended with status {done.returncode}:\n{done.stdout}")


def main():
    source, build, scratch, instead_file = (pathlib.Path(argument).resolve() for argument in sys.argv[1:])
    instead, used, typed = read_instead(instead_file), set(), 0
    tops = ("sdk", "framework", "plugins", "recipes", "tests", "tools", "docs")
    files = sorted(source.glob("*.md")) + sorted(file for top in tops for file in (source / top).rglob("*.md"))
    for file in files:
        name = str(file.relative_to(source))
        elsewhere, code_elsewhere = TESTED_ELSEWHERE.get(name), CODE_TESTED_ELSEWHERE.get(name)
        for test in filter(None, (elsewhere, code_elsewhere)):
            if not (source / test).exists():
                sys.exit(f"{name}: {test} is gone")
        folder = scratch / name.replace("/", "_").removesuffix(".md")
        made = False
        for start, language, target, lines in blocks_of(file, name):
            if target == "excerpt":
                check_excerpt(source, name, start, language, lines)
                continue
            if elsewhere or (code_elsewhere and target):
                continue
            if not made and (language == "sh" or target):
                checkout(source, build, folder)
                made = True
            if language == "sh":
                for number, command in commands_in(lines, start):
                    if command in instead:
                        used.add(command)
                    type_in(instead.get(command, command), folder, f"{name}:{number}")
                    typed += 1
            elif target:
                (folder / target).parent.mkdir(parents=True, exist_ok=True)
                (folder / target).write_text("\n".join(lines) + "\n")
                if language == "yaml":
                    type_in(f"tools/plumb validate {target}", folder, f"{name}:{start}")
    for command in sorted(set(instead) - used):
        sys.exit(f"{instead_file}: no document says `{command}` any more; take the line out")
    print(f"{typed} commands of {len(files)} files work")


if __name__ == "__main__":
    main()
