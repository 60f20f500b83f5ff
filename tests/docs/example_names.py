#!/usr/bin/env python3
"""Looks whether what the examples at the heads of headers call is still called so.

    example_names.py SOURCE

The examples of public headers are compiled (header_examples.py); those of the framework, the command and the plugins stand for
code that is already there, with what it has at hand. Here every function, type and member that one names must occur in the code
of the project, comments left aside, unless the example defines it.
"""
import pathlib
import re
import sys

OWN = {"talker", "run_everything"}  # the reader's own objects and functions


def code_of(text):
    return re.sub(r"/\*.*?\*/", "", re.sub(r"//[^\n]*", "", text), flags=re.S)


def examples(header):
    """(line number, code) of the indented lines of the comment that a header opens with."""
    for number, line in enumerate(header.read_text().splitlines(), 1):
        if not line.startswith("//"):
            return
        if line.startswith("//   "):
            yield number, re.sub(r"\s//.*", "", re.sub(r'"(\\.|[^"])*"', '""', line[5:]))


def main():
    source = pathlib.Path(sys.argv[1])
    tops = [source / top for top in ("framework", "sdk", "plugins", "tools")]
    known = set()
    for file in (file for top in tops for file in top.rglob("*") if file.suffix in (".h", ".cpp")):
        known |= set(re.findall(r"[A-Za-z_]\w*", code_of(file.read_text())))
    failures, count = [], 0
    for header in sorted(header for top in tops for header in top.rglob("*.h")):
        lines = list(examples(header))
        count += bool(lines)
        defined = set(re.findall(r"\b(?:int|void|auto|bool)\s+([a-z_]\w*)\(|\b(?:class|struct)\s+(\w+)",
                                 "\n".join(line for _, line in lines)))
        defined = {name for names in defined for name in names if name}
        for number, line in lines:
            for name in re.findall(r"\b([A-Za-z_]\w*)\s*(?=\(|::|<|\{)", line):
                if name not in known | defined | OWN:
                    failures.append(f"{header.relative_to(source)}:{number}: the example names `{name}`, which nothing is called")
    print("\n".join(failures) or f"what the examples of {count} headers name is there")
    return 1 if failures or count == 0 else 0


sys.exit(main())
