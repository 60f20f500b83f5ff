"""Examples in sdk/docs are excerpts of the templates, which are compiled and tested: they must stand there word for word.

    excerpts.py SOURCE
"""

import pathlib
import re
import sys
import textwrap

source = pathlib.Path(sys.argv[1]) / "sdk"
kinds = sorted(folder.name for folder in (source / "template").iterdir() if folder.is_dir() and folder.name[0] != ".")
failures = []
for kind in kinds:
    page = source / "docs" / f"{kind}.md"
    if not page.exists():
        failures.append(f"{page} is missing")
        continue
    text = page.read_text()
    blocks = re.findall(r"^```cpp excerpt\n(.*?)^```", text, re.M | re.S)
    if not blocks or "**Contract**" not in text:
        failures.append(f"{page.name}: wanted a contract and an example")
    code = [line.strip() for line in (source / "template" / kind / "my_plugin.cpp").read_text().splitlines()]
    for block in blocks:
        wanted = [line.strip() for line in textwrap.dedent(block).rstrip().splitlines()]
        if not any(code[i : i + len(wanted)] == wanted for i in range(len(code))):
            failures.append(f"{page.name}: the example is not in template/{kind}/my_plugin.cpp: {wanted[0]} …")
    if kind not in (source / "README.md").read_text():
        failures.append(f"README.md does not name the kind {kind}")
print("\n".join(failures) or f"{len(kinds)} pages have a contract and an example that compiles")
sys.exit(1 if failures else 0)
