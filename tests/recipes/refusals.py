#!/usr/bin/env python3
"""Holds each refusal that a stage's body can raise to its twin before anything runs.

    refusals.py SOURCE

Every place of the framework's stages that throws Error(recipe) or Error(data), and every Error(recipe) of what the stages
call and of the plugins, stands in refusals.txt with a part of its message and with the recipe of bad/ that is refused for the
same before anything runs, or with the reason why nothing but the run itself can know. A place without a row, a row without
a place and a recipe that is not there are errors. That each recipe of bad/ is refused is for bad_recipes_test.cpp to show.
"""
import pathlib
import re
import sys

BODIES = ["framework/core/kinds", "framework/engine/stages"]
CALLED = ["framework/engine/rollout", "framework/engine/training", "framework/engine/modeling", "framework/core/evaluation",
          "framework/core/data", "framework/core/components", "plugins"]
REASONS = {
    "rows": "the rows decide",
    "weights": "the tensors of a model, or the code of its architecture, decide",
    "machine": "the machine decides",
    "verb": "a command's own argument",
    "guard": "no recipe leads there; it guards an invariant",
}
THROWN = re.compile(r"\bError\(\s*(?:plumb::)?ErrorCode::(recipe|data)\b|\bplumb::Error\(\s*plumb::ErrorCode::(recipe|data)\b")
TEXT = re.compile(r'"((?:[^"\\]|\\.)*)"')


def places(source):
    """(file, message) of each place that has to have a row."""
    for folder in [*BODIES, *CALLED]:
        if not (source / folder).is_dir():
            sys.exit(f"there is no folder {folder}")
        for file in sorted((source / folder).rglob("*.cpp")):
            if file.name.endswith("_test.cpp"):
                continue
            text = re.sub(r"//[^\n]*", "", file.read_text())
            for thrown in THROWN.finditer(text):
                code = thrown[1] or thrown[2]
                if folder not in BODIES and code != "recipe":
                    continue
                end = text.find(";\n", thrown.end())
                message = "".join(TEXT.findall(text[thrown.end():end]))
                yield str(file.relative_to(source)), message.replace('\\"', '"')


def read_rows(file):
    for number, line in enumerate(file.read_text().splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        fields = [field.strip() for field in line.split(" | ")]
        if len(fields) != 3:
            sys.exit(f"{file}:{number}: wanted FILE | PART OF THE MESSAGE | TWIN")
        yield number, fields


def main():
    source = pathlib.Path(sys.argv[1]).resolve()
    here = source / "tests" / "recipes"
    table = here / "refusals.txt"
    rows, wrong = list(read_rows(table)), []
    found = list(places(source))
    used = set()
    for file, message in found:
        fitting = [number for number, (of, part, _) in rows if of == file and (part in message if part else not message)]
        used.update(fitting)
        if not fitting:
            wrong.append(f"{file}: nothing before a run refuses what this refuses: {message!r}\n    write a recipe of bad/ for it, "
                         f"let its check see it, and add a row to {table.name}")
    for number, (file, part, twin) in rows:
        if number not in used:
            wrong.append(f"{table.name}:{number}: nothing in {file} says {part!r} any more")
        name, _, why = twin.partition(": ")
        if twin.endswith(".yaml"):
            if "# wants " not in ((here / "bad" / twin).read_text() if (here / "bad" / twin).exists() else ""):
                wrong.append(f"{table.name}:{number}: bad/{twin} is no recipe that is refused")
        elif name not in REASONS or not why:
            wrong.append(f"{table.name}:{number}: {twin!r} is neither a recipe of bad/ nor one of {', '.join(REASONS)} with a reason")
    for message in wrong:
        print(message)
    print(f"{len(found)} refusals, {len(rows)} rows")
    sys.exit(1 if wrong or len(found) < 40 else 0)


main()
