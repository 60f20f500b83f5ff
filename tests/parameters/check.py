#!/usr/bin/env python3
"""Holds every parameter of every stage and component to an effect that can be seen.

    check.py PLUMB SCRATCH TESTS [--known | PREFIX...]

The parameters are those of `plumb plugins docs`; the tables beside this file say of each what is to change when its value does
(effects.yaml explains how). One without an entry fails, and so does one whose effect vanishes. With --known only the entries
are looked for; with PREFIXes only what begins so is tried. TESTS is the folder where the tests' own plugins are built.
"""
import concurrent.futures
import contextlib
import json
import pathlib
import re
import shutil
import sys
import time
import traceback

try:
    import yaml
except ImportError as missing:
    print(f"skipped: {missing}; Debian's python3-yaml is needed")
    sys.exit(77)

from judge import Judge
from trial import Made, Plumb, Vanished, run_words

HERE = pathlib.Path(__file__).resolve().parent
TABLES = ["effects.yaml", "components.yaml"]


def known_parameters(plumb):
    """Names such as `stages.sft.learning_rate` and `judge.openai-judge.url`."""
    kind = name = None
    found = []
    for line in plumb.call(["plugins", "docs", "--markdown"]).stdout.splitlines():
        if line.startswith("## "):
            kind, name = line[3:].strip(), "*"  # what stands before the first component holds for all of the kind
        elif line.startswith("### "):
            name = line[4:].split()[0].replace("\\", "").split(":")[-1]
        elif line.startswith("| ") and not line.startswith(("| parameter ", "| ---")):
            found.append(f"{kind}.{name}.{line[2:].split(' |')[0].strip()}".replace("\\", ""))
    return found


class Entry:
    """What the table says of one parameter; `said` is its own map, `group` what holds for all beside it."""

    def __init__(self, name, said, group):
        said = said if isinstance(said, dict) and "value" in said else {"value": said}
        parameter = name.split(".", 2)[2] if name.count(".") > 1 else name
        self.name, self.said = name, said
        self.safe = re.sub(r"[^a-z0-9]+", "-", name.lower())
        self.recipe = said.get("in", group["in"])
        self.stage = said.get("stage", group["stage"])
        path = said.get("path", f"{group.get('path', 'stages.' + self.stage)}.{parameter}")
        here = path.rpartition(".")[0]
        also = {**group.get("also", {}), **said.get("also", {}),
                **{f"{here}.{key}": value for key, value in said.get("also_here", {}).items()}}
        # What is set together with it comes after what it needs: a later setting may stand inside an earlier one.
        self.alone = {**group.get("also", {}), **said.get("alone_also", {}), path: said["value"]}
        self.before = {**also, **({path: said["base"]} if "base" in said else {})}
        self.after = {**also, path: said["value"]}


class Check:
    def __init__(self, program, scratch, tests):
        self.tests = tests
        self.plumb, self.scratch, self.judge = Plumb(program, scratch), scratch, None
        self.entries, self.elsewhere, self.problems = {}, [], []
        scenarios, files = {}, {}
        for table in TABLES:
            read = yaml.safe_load((HERE / table).read_text())
            scenarios.update(read.get("scenarios", {}))
            files.update(yaml.safe_load((HERE / read["files"]).read_text()) if "files" in read else {})
            self.elsewhere += read.get("elsewhere", [])
            for group in read["effects"]:
                for prefix, at in group["of"].items():
                    for parameter, said in group["parameters"].items():
                        name = f"{prefix}.{parameter}"
                        if name in self.entries:
                            self.problems.append(f"{name}: two entries")
                        self.entries[name] = Entry(name, said, at)
        self.scenarios, self.files = scenarios, files

    def write(self):
        shutil.rmtree(self.scratch, ignore_errors=True)
        (self.scratch / "cache").mkdir(parents=True)
        for file, text in self.files.items():
            (self.scratch / file).parent.mkdir(parents=True, exist_ok=True)
            (self.scratch / file).write_bytes(text if isinstance(text, bytes) else text.encode())
        for name, recipe in self.scenarios.items():
            text = (HERE / recipe).read_text() if isinstance(recipe, str) else yaml.safe_dump(
                {"name": name, "seed": 1, **recipe}, sort_keys=False)
            (self.scratch / f"{name}.yaml").write_text(text)
        self.judge = Judge()

    def missing(self):
        elsewhere = tuple(self.elsewhere)
        known = [name for name in known_parameters(self.plumb) if not name.startswith(elsewhere)]
        self.problems += [f"{name}: no entry in the tables" for name in known if name not in self.entries]
        self.problems += [f"{name}: an entry for a parameter that is not there" for name in self.entries if name not in known]
        return known

    def filled(self, value, who):
        """With the address of the judge, which keeps what each side asks."""
        text = json.dumps(value)
        text = text.replace("{judge}", self.judge.address(who)).replace("{full}", self.judge.full())
        return json.loads(text)

    def run(self, entry, settings, side):
        who = f"{entry.safe}-{side}"
        settings = {path: self.filled(value, who) for path, value in settings.items()}
        plugins = [self.tests / plugin for plugin in entry.said.get("plugins", [])]
        start = time.monotonic()
        done = self.plumb.call(run_words(entry.recipe, settings, entry.stage, who, plugins=plugins))
        return Made(self.plumb, who, entry.stage, done, self.judge.asked[who], time.monotonic() - start)

    def tried(self, entry):
        """Raises Vanished when the effect is not there."""
        said = entry.said
        if "alone" in said:
            self.refused(entry, entry.alone, said["alone"], "without what it needs ")
        if "refused" in said:
            return self.refused(entry, entry.after, said["refused"], "")
        if "leaves" in said:
            return self.leaves(entry, said["leaves"])
        if "process" in said:
            return self.starts(entry, said["process"])
        # What a run says it says while it works: the one with the value comes first then, before anything is cached.
        after = self.run(entry, entry.after, "after") if "says" in said else None
        before = self.run(entry, entry.before, "before")
        if not said.get("broken") and not said.get("fails") and before.code != 0:
            raise Vanished(f"the run without it failed, rc {before.code}: {before.said.strip()[-700:]}")
        after = after or self.run(entry, entry.after, "after")
        if said.get("broken") and before.code == 0:
            raise Vanished("the run without it was to fail")
        if "says" in said:
            if said["says"] not in after.said:
                raise Vanished(f"`{said['says']}` is not said: {after.said[-700:]}")
            if said["says"] in before.said:
                raise Vanished(f"`{said['says']}` is said without it, too")
            return None
        if after.code != 0 and not said.get("fails"):
            raise Vanished(f"the run with it failed, rc {after.code}: {after.said.strip()[-700:]}")
        if "peak" in said:
            peaks = [side.manifest["peak_bytes"] for side in (before, after)]
            if peaks[1] > peaks[0] * said["peak"]:
                raise Vanished(f"peak memory {peaks[0]} -> {peaks[1]}, wanted at most {said['peak']} of it")
        if "holds" in said:
            self.holds(said["holds"], before, after)
        elif not said.get("broken") and "peak" not in said and before.content() == after.content():
            raise Vanished(f"every file of {entry.stage} has the same bytes")
        return None

    def holds(self, expression, before, after):
        """True with the value, and not true of the run without it."""
        given = {"abs": abs, "max": max, "min": min, "len": len, "sum": sum, "set": set, "sorted": sorted, "all": all,
                 "any": any, "str": str, "zip": zip, "round": round, "range": range}
        if not eval(expression, {**given, "before": before, "after": after}):
            raise Vanished(f"does not hold: {expression}")
        if (before.code == 0 or after.code != 0) and eval(expression, {**given, "before": before, "after": before}):
            raise Vanished(f"holds without it, too: {expression}")

    def refused(self, entry, settings, words, when):
        result = self.run(entry, settings, "refused")
        if result.code not in (2, 4) or words not in result.said:
            raise Vanished(f"{when}wanted a refusal that says `{words}`, rc {result.code}: {result.said.strip()[-500:]}")

    def leaves(self, entry, pattern):
        """While the run is under way, files of this pattern appear with the value and not without it."""
        for settings, wanted in ((entry.after, True), (entry.before, False)):
            runs = self.scratch / f"{entry.safe}-{wanted}"
            of_others = shutil.ignore_patterns("*.partial")  # what trials beside this one are writing
            shutil.copytree(self.scratch / "runs", runs, symlinks=True, ignore=of_others)
            process = self.plumb.start(run_words(entry.recipe, settings, entry.stage, entry.safe, runs))
            seen, end = False, time.time() + 60
            while process.poll() is None and not seen and time.time() < end:
                with contextlib.suppress(FileNotFoundError):  # a folder that was renamed under the search
                    seen = any(runs.glob(pattern))
                time.sleep(0.005)
            process.kill()
            process.wait()
            shutil.rmtree(runs, ignore_errors=True)
            if seen != wanted:
                raise Vanished(f"{pattern} {'never appeared' if wanted else 'appeared without it'}")

    def starts(self, entry, program):
        """A child of the run is this program with the value, and none is without it."""
        for settings, wanted in ((entry.after, True), (entry.before, False)):
            process = self.plumb.start(run_words(entry.recipe, settings, entry.stage, f"{entry.safe}-{wanted}"))
            seen = False
            while process.poll() is None and not seen:
                seen = program in self.plumb.below(process.pid)
            process.wait()  # and not killed: the other side finds its result in the cache
            if seen != wanted:
                raise Vanished(f"{'no' if wanted else 'a'} process {program}")


def main():
    check = Check(sys.argv[1], pathlib.Path(sys.argv[2]).resolve(), pathlib.Path(sys.argv[3]).resolve())
    prefixes = tuple(word for word in sys.argv[4:] if word != "--known")
    check.scratch.mkdir(parents=True, exist_ok=True)
    known = check.missing()
    tries = []
    if "--known" not in sys.argv:
        check.write()
        tries = [check.entries[name] for name in known if name in check.entries and (not prefixes or name.startswith(prefixes))]
        for recipe in check.scenarios:  # what the tries share is made once
            if "base:" in (check.scratch / f"{recipe}.yaml").read_text():
                continue
            done = check.plumb.call(run_words(recipe, {}, None, recipe))
            if done.returncode != 0:
                sys.exit(f"{recipe}.yaml: {done.stderr[-2000:]}")

        def attempt(entry):
            start = time.time()
            try:
                check.tried(entry)
            except Vanished as error:
                return f"{entry.name}: {error}"
            except Exception:  # a table that is wrong
                return f"{entry.name}: {traceback.format_exc()}"
            finally:
                if time.time() - start > 10:
                    print(f"{entry.name}: {time.time() - start:.0f} s", flush=True)
            return None

        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            for problem in pool.map(attempt, tries):
                if problem:
                    check.problems.append(problem)
    print("\n".join(check.problems))
    print(f"{len(known)} parameters, {len(tries)} tried, {len(check.problems)} problems")
    return 1 if check.problems else 0


sys.exit(main())
