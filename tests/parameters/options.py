#!/usr/bin/env python3
"""Holds every option of every verb, and every key of a recipe, to an effect that can be seen.

    options.py PLUMB SCRATCH TESTS [--known | PREFIX...]

The options are those that `plumb VERB --help` tells of; the keys are those of `plumb plugins schema`. options.yaml has a try
for each: a command with it and one without. TESTS is the folder where the tests' own plugins are built. With --known only the
entries are looked for; with PREFIXes only what begins so is tried.
"""
import concurrent.futures
import json
import pathlib
import re
import shlex
import shutil
import sys
import time
import traceback

try:
    import yaml
except ImportError as missing:
    print(f"skipped: {missing}; Debian's python3-yaml is needed")
    sys.exit(77)

from trial import Plumb, Vanished

HERE = pathlib.Path(__file__).resolve().parent
PLACE = re.compile(r"\{(own|(?:plugin|test):[A-Za-z0-9_./-]+)\}")


def options_of(plumb, words):
    """The names of the options in the help of a verb, `--help` among them."""
    text = plumb.call([*words, "--help"]).stdout
    return re.findall(r"^  (?:-h \[ )?--([a-z0-9-]+)", text, re.M)


def known_names(plumb):
    """Such as `run --until`, `plugins list --json` and `recipe.sweep.seeds`."""
    found = []
    for verb in re.findall(r"^  ([a-z]+)  ", plumb.call(["--help"]).stdout, re.M):
        inner = re.findall(rf"plumb {verb} ([a-z]+)", plumb.call([verb, "--help"]).stdout) if verb == "plugins" else []
        for words in ([verb, word] for word in inner) if inner else [[verb]]:
            found += [f"{' '.join(words)} --{option}" for option in options_of(plumb, words)]
    for key, declared in json.loads(plumb.call(["plugins", "schema"]).stdout)["properties"].items():
        found.append(f"recipe.{key}")
        found += [f"recipe.{key}.{inner}" for inner in declared.get("properties", {})]
    return found


class Outcome:
    def __init__(self, done, own, seconds):
        self.code, self.out, self.err, self.own, self.seconds = done.returncode, done.stdout, done.stderr, own, seconds
        self.said = self.out + self.err

    @property
    def json(self):
        return json.loads(self.out)

    def text(self, file):
        return (self.own / file).read_text()

    def has(self, file):
        return (self.own / file).exists()


def one_try(plumb, name, entry, places):
    """Raises Vanished when the effect is not there."""
    sides = []
    for side in ("without", "with"):
        own = plumb.scratch / f"{re.sub('[^a-z0-9]+', '-', name)}-{side}"
        shutil.rmtree(own, ignore_errors=True)
        own.mkdir()
        for name_there, built in entry.get("copies", {}).items():
            for end in (".plumb.so", ".schema.json"):
                shutil.copy(places(f"test:{built}{end}"), own / f"{name_there}{end}")
        for command in [*entry.get("first", []), entry[side]]:
            words = [PLACE.sub(lambda m: str(own) if m[1] == "own" else places(m[1]), word) for word in shlex.split(command)]
            start = time.monotonic()
            done = plumb.call(words, entry.get("stdin", ""))
            if command != entry[side] and done.returncode != 0:
                raise Vanished(f"`{command}` failed: {done.stderr[-400:]}")
        sides.append(Outcome(done, own, time.monotonic() - start))
    before, after = sides
    wanted = entry.get("code", 0)
    if after.code != wanted:
        raise Vanished(f"`{entry['with']}` ended with {after.code}, wanted {wanted}: {after.said[-500:]}")
    if entry.get("code_without", 0) not in (before.code, "any"):
        raise Vanished(f"`{entry['without']}` ended with {before.code}: {before.said[-500:]}")
    if "says" in entry and (entry["says"] not in after.said or entry["says"] in before.said):
        where = "with and without it" if entry["says"] in before.said else "not"
        raise Vanished(f"`{entry['says']}` is said {where}: {after.said[-500:]}")
    if "silent" in entry and (entry["silent"] in after.said or entry["silent"] not in before.said):
        raise Vanished(f"`{entry['silent']}` is {'still' if entry['silent'] in after.said else 'never'} said: {after.said[-400:]}")
    if "holds" in entry:
        if not eval(entry["holds"], {"before": before, "after": after, "json": json, "re": re}):
            raise Vanished(f"does not hold: {entry['holds']}: {after.said[-300:]}")
        try:
            swapped = eval(entry["holds"], {"before": before, "after": before, "json": json, "re": re})
        except ValueError:  # no JSON
            swapped = False
        if swapped:
            raise Vanished(f"holds without it, too: {entry['holds']}")
    if not entry.keys() & {"says", "silent", "holds", "code", "code_without"} and before.out == after.out:
        raise Vanished("the output is the same")


def prepare(plumb, table, places):
    shutil.rmtree(plumb.scratch, ignore_errors=True)
    (plumb.scratch / "cache").mkdir(parents=True)
    shutil.copy(HERE / "chain.yaml", plumb.scratch)
    files = {**yaml.safe_load((HERE / "files.yaml").read_text()), **table.get("files", {})}
    for file, text in files.items():
        (plumb.scratch / file).parent.mkdir(parents=True, exist_ok=True)
        if isinstance(text, dict):
            text = PLACE.sub(lambda m: places(m[1]), yaml.safe_dump(text, sort_keys=False))
        (plumb.scratch / file).write_bytes(text if isinstance(text, bytes) else text.encode())
    for command in table["first"]:
        done = plumb.call(shlex.split(command))
        if done.returncode != 0:
            sys.exit(f"{command}: {done.stderr[-1500:]}")


def main():
    plumb = Plumb(sys.argv[1], pathlib.Path(sys.argv[2]).resolve())
    test_plugins = pathlib.Path(sys.argv[3]).resolve()
    prefixes = tuple(word for word in sys.argv[4:] if word != "--known")
    plumb.scratch.mkdir(parents=True, exist_ok=True)
    table = yaml.safe_load((HERE / "options.yaml").read_text())
    entries, problems = {}, []
    for group in table["tries"]:
        for verb in group["of"]:
            for option, entry in group["options"].items():
                name = option if option.startswith("recipe.") else f"{verb} {option}"
                if not isinstance(entry, dict):
                    entry = {"with": entry}
                entry = {"with": "{command} {option}", "without": "{command}", **group.get("all", {}), **entry}
                command = entry.get("command", group.get("command", "{verb}"))
                for side in ("with", "without"):
                    entry[side] = entry[side].replace("{command}", command).replace("{verb}", verb).replace("{option}", option)
                entries[name] = entry
    known = known_names(plumb)
    problems += [f"{name}: no entry in options.yaml" for name in known if name not in entries]
    problems += [f"{name}: an entry for what is not there" for name in entries if name not in known]
    tries = []
    if "--known" not in sys.argv:
        listed = json.loads(plumb.call(["plugins", "list", "--json"]).stdout)
        installed = {pathlib.Path(p["file"]).name.split(".")[0]: p["file"] for p in find_files(listed)}

        def places(name):
            kind, _, which = name.partition(":")
            return installed[which] if kind == "plugin" else str(test_plugins / which)

        prepare(plumb, table, places)
        tries = [name for name in known if name in entries and (not prefixes or name.startswith(prefixes))]

        def attempt(name):
            try:
                one_try(plumb, name, entries[name], places)
            except Vanished as error:
                return f"{name}: {error}"
            except Exception:  # a table that is wrong
                return f"{name}: {traceback.format_exc()}"
            return None

        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            problems += [problem for problem in pool.map(attempt, tries) if problem]
    print("\n".join(problems))
    print(f"{len(known)} options and keys, {len(tries)} tried, {len(problems)} problems")
    return 1 if problems else 0


def find_files(value):
    """Every map in a JSON value that names a plugin's file."""
    if isinstance(value, dict):
        if isinstance(value.get("file"), str):
            yield value
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from find_files(item)


sys.exit(main())
