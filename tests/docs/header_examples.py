#!/usr/bin/env python3
"""Compiles the example at the head of every public header of a tier.

    header_examples.py SOURCE SCRATCH core|tensor CXX [FLAG...]

A header of sdk/include opens with a comment; its first lines indented by three blanks are the example. around.txt says what
stands around one that is not the body of a function. Every example has a namespace of its own, and all of a tier one file,
which includes every header of that tier. A header without an example, an example that is cut short by an ellipsis, and an
entry of around.txt that no header needs are errors.
"""
import pathlib
import re
import subprocess
import sys


def example_of(header):
    """(line number, lines) of the example; the indentation of the comment is gone."""
    first, lines = 0, []
    for number, line in enumerate(header.read_text().splitlines(), 1):
        indented = line.startswith("//   ")
        if not line.startswith("//") or (lines and not indented and line != "//"):
            break
        if indented or lines:
            first = first or number
            lines.append(line[5:])
    return first, lines


def read_around(file):
    around = {}
    for part in re.split(r"^== ", file.read_text(), flags=re.M)[1:]:
        name, _, text = part.partition("\n")
        if text.count("EXAMPLE") != 1:
            sys.exit(f"{file}: {name}: wanted one EXAMPLE")
        around[name.strip()] = text
    return around


def main():
    source, scratch = (pathlib.Path(argument).resolve() for argument in sys.argv[1:3])
    tier, compiler = sys.argv[3], sys.argv[4:]
    include, around_file = source / "sdk" / "include", pathlib.Path(__file__).resolve().parent / "around.txt"
    around, failures, includes, bodies = read_around(around_file), [], [], []
    for header in sorted(include.rglob("*.h")):
        name = str(header.relative_to(include))
        text = around.pop(name, "void example() {\nEXAMPLE\n}\n")
        if (tier == "tensor") != ("/tensor/" in name):
            continue
        first, lines = example_of(header)
        if not lines:
            failures.append(f"{header}: opens with no example; indent one by three blanks below what the header is")
            continue
        for number, line in enumerate(lines, first):
            if "…" in re.sub(r"//.*|/\* … \*/", "", line):
                failures.append(f"{header}:{number}: the example is cut short; write it out, or /* … */ in an empty body")
        code = "\n".join("" if line.startswith("#include") else line for line in lines)
        before, after = re.sub(r"^#include.*\n", "", text, flags=re.M).split("EXAMPLE")
        includes += [f'#include "{name}"', *(line for line in text.splitlines() + lines if line.startswith("#include"))]
        number = len(bodies)
        bodies.append(f"""#undef plumb_plugin_entry_v1
#define plumb_plugin_entry_v1 plumb_plugin_entry_{number}
namespace example_{number} {{
#line 1 "{around_file}: {name}"
{before}
#line {first} "{header}"
{code}
#line 1 "{around_file}: below {name}"
{after}
}}
""")
    failures += [f"{around_file}: no header is called {name}" for name in around]
    scratch.mkdir(parents=True, exist_ok=True)
    file = scratch / f"{tier}.cpp"
    file.write_text("\n".join([*sorted(set(includes)), *bodies]))
    command = [*compiler, "-std=c++20", "-fsyntax-only", "-w", f"-I{include}", f"-I{source}", str(file)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        failures.append(done.stdout)
    print("\n".join(failures) or f"the examples of {len(bodies)} headers compile")
    return 1 if failures else 0


sys.exit(main())
