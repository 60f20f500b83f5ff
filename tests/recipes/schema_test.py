"""The JSON Schema of `plumb plugins schema`, judged by an independent implementation: the repository's own recipes are
valid, and one fault at a time makes one of them invalid. Also what an editor completes from: docs, enums and defaults.

    schema_test.py PLUMB SOURCE          exit status 77: the Python packages are missing
"""

import copy
import json
import pathlib
import subprocess
import sys

try:
    import jsonschema
    import yaml
except ImportError as missing:
    print(f"skipped: {missing}; Debian's python3-jsonschema and python3-yaml are needed")
    sys.exit(77)

plumb, source = sys.argv[1], pathlib.Path(sys.argv[2])
schema = json.loads(subprocess.run([plumb, "plugins", "schema"], check=True, stdout=subprocess.PIPE).stdout)
jsonschema.Draft7Validator.check_schema(schema)
validator = jsonschema.Draft7Validator(schema)
failures = []


def problems(recipe):
    return [f"{'.'.join(map(str, e.absolute_path))}: {e.message[:200]}" for e in validator.iter_errors(recipe)]


valid = sorted((source / "recipes").rglob("*.yaml")) + sorted((source / "tests/recipes/good").glob("*.yaml"))
assert valid, "no recipes found"
for file in valid:
    for problem in problems(yaml.safe_load(file.read_text())):
        failures.append(f"{file}: {problem}")

quickstart = yaml.safe_load((source / "recipes/quickstart.yaml").read_text())


def broken(what, *path, value):
    recipe = copy.deepcopy(quickstart)
    place = recipe
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    if not problems(recipe):
        failures.append(f"accepted: {what}")


def accepted(what, *path, value):
    recipe = copy.deepcopy(quickstart)
    place = recipe
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    for problem in problems(recipe):
        failures.append(f"refused: {what}: {problem}")


stages = quickstart["stages"]
broken("an unknown top key", "stges", value={})
broken("a stage without its kind", "stages", "sft", value={"model": "tiny-llama", "data": "demonstrations"})
broken("an unknown kind", "stages", "sft", "stage", value="sftt")
broken("an unknown key", "stages", "sft", "learning_rat", value=0.1)
broken("a wrong type", "stages", "sft", "batch_size", value="many")
broken("a real for an integer", "stages", "sft", "batch_size", value=1.5)
broken("a value out of range", "stages", "sft", "learning_rate", value=0)
broken("a value that is no choice", "stages", "sft", "lr_scheduler_type", value="cosin")
broken("an unknown component", "stages", "pairs", "policy", value="reward-gab")
broken("an unknown component in a map", "stages", "pairs", "policy", value={"name": "reward-gab"})
broken("a component's unknown key", "stages", "pairs", "policy", value={"name": "reward-gap", "etta": 0.9})
broken("a component's value out of range", "stages", "pairs", "policy", value={"name": "reward-gap", "eta": 1.2})
broken("an unknown architecture", "models", "tiny-llama", "architecture", value="lama2")
broken("a missing required key", "stages", "pairs", value={"stage": "select", "policy": "reward-gap"})
broken("a bad key in a nested map", "stages", "aligned", "lora", value={"rank": 8})
broken("a name with a space", "stages", "my stage", value=stages["sft"])
accepted("a component by its full name", "stages", "pairs", "policy", value="org.plumbline.reward-gap:reward-gap")
accepted("a component by its name alone", "stages", "pairs", "policy", value="reward-gap")
accepted("a policy in a process of its own", "stages", "pairs", "policy", value={"name": "reward-gap", "isolation": "process", "call_timeout": 5})
broken("another isolation", "stages", "pairs", "policy", value={"name": "reward-gap", "isolation": "thread"})
broken("an optimizer in a process of its own", "stages", "aligned", "optimizer", value={"name": "dpo", "isolation": "process"})
accepted("an integer for a real", "stages", "pairs", "policy", value={"name": "reward-gap", "tau": 1})
accepted("a partial stage over a base", "base", value="base.yaml")
for problem in problems({"name": "x", "base": "b.yaml", "stages": {"pairs": {"policy": {"tau": 0.8}}, "report": None}}):
    failures.append(f"a recipe with a base: {problem}")

sft = schema["definitions"]["stage-sft"]["properties"]["learning_rate"]
for key in ("description", "default", "exclusiveMinimum"):
    if key not in sft:
        failures.append(f"learning_rate has no {key}: {sft}")

print("\n".join(failures) or f"{len(valid)} recipes are valid, every fault is seen")
sys.exit(1 if failures else 0)
