#!/usr/bin/env python3
"""Does what CONTRIBUTING.md says of where things go, in a copy of the tree, builds the copy and runs what was added.

    where.py SOURCE SCRATCH LIBTORCH

Each block of CONTRIBUTING.md with a file name is written to that file: a stage kind, a loss, a model and a verb, the sources of
the two plugins being those that `plumb plugins new` writes. A batch kind of optimizers comes from batch_kind/ beside this script.
Of the files that were there before, only those change that the page names: the verb's two lists, and two for the batch kind.
A recipe then uses all of it.
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys

source, scratch = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
libtorch = pathlib.Path(sys.argv[3]).resolve()
BLOCK = re.compile(r"^```(?:cpp|cmake) (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
build = scratch / "build" / "release"

RECIPE = """
name: where
seed: 1
datasets:
  demonstrations: {source: {name: requests, records: demonstrations, count: 128}}
  preferences: {source: {name: requests, records: preferences, count: 64}}
  prompts: {source: {name: requests, records: prompts, count: 16}}
models:
  tiny:
    architecture: my-model
    tokenizer: bpe
    chat_format: plain
    config: {hidden_size: 32, intermediate_size: 64, num_hidden_layers: 2, num_attention_heads: 2, max_position_embeddings: 128}
stages:
  bpe: {stage: tokenizer, data: demonstrations, vocabulary_size: 400}
  few: {stage: first_rows, prompts: prompts, count: 3}
  sft: {stage: sft, model: tiny, data: demonstrations, batch_size: 32, learning_rate: 5.0e-3, max_steps: 4}
  aligned: {stage: train, model: sft, data: preferences, optimizer: my-loss, batch_size: 16, max_steps: 4}
  by-sequence: {stage: train, model: sft, data: demonstrations, optimizer: mean-likelihood, batch_size: 16, max_steps: 4}
  responses: {stage: sample, model: aligned, prompts: few, k: 2, max_new_tokens: 8}
"""


def call(*command, **more):
    done = subprocess.run([str(part) for part in command], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          stdin=subprocess.DEVNULL, **more)
    if done.returncode != 0:
        sys.exit(f"`{' '.join(map(str, command))}` ended with status {done.returncode}:\n{done.stdout[-8000:]}")
    return done.stdout


def copy_tree():
    """What git tracks or would track, in SCRATCH, which keeps its build folder from the last time."""
    listed = call("git", "-C", source, "ls-files", "--cached", "--others", "--exclude-standard").splitlines()
    wanted = set(listed)
    scratch.mkdir(parents=True, exist_ok=True)
    for name in listed:
        if not (source / name).is_file():
            continue
        (scratch / name).parent.mkdir(parents=True, exist_ok=True)
        if not (scratch / name).exists() or (scratch / name).read_bytes() != (source / name).read_bytes():
            shutil.copy2(source / name, scratch / name)
    for file in scratch.rglob("*"):
        name = str(file.relative_to(scratch))
        if file.is_file() and not name.startswith("build/") and name not in wanted:
            file.unlink()


def change(name, pattern, replacement):
    text = (scratch / name).read_text()
    changed, count = re.subn(pattern, replacement, text, count=1)
    if count != 1:
        sys.exit(f"{name} has no place for what CONTRIBUTING.md adds")
    (scratch / name).write_text(changed)


def add_what_the_page_says():
    added = []
    for name, text in BLOCK.findall((source / "CONTRIBUTING.md").read_text()):
        if (source / name).exists():
            sys.exit(f"CONTRIBUTING.md writes {name}, which is there already")
        (scratch / name).parent.mkdir(parents=True, exist_ok=True)
        (scratch / name).write_text(text)
        added.append(name)
    for wanted in ("framework/core/kinds/", "plugins/optimizers/", "plugins/models/", "tools/cli/"):
        if sum(name.startswith(wanted) for name in added) != 1:
            sys.exit(f"CONTRIBUTING.md adds not one file under {wanted}, but: {added}")
    for kind, folder, file in (("optimizer", "plugins/optimizers/my_loss", "my_loss"), ("model", "plugins/models/my_model", "my_model")):
        new = scratch / "build" / file
        shutil.rmtree(new, ignore_errors=True)
        call(os.environ.get("PLUMB", source / "build" / "release" / "bin" / "plumb"), "plugins", "new", kind,
             file.replace("_", "-"), "--folder", new)
        shutil.copy2(new / f"{file}.cpp", scratch / folder / f"{file}.cpp")
    change("tools/cli/verb.h", r"(int run_stats\(int argc, char\*\* argv\);\n)", r"\1int run_motto(int argc, char** argv);\n")
    change("tools/cli/verbs.cpp", r"(\n *\{\"completion\")", r'\n      {"motto", "say what a plumb line is for", run_motto},\1')


def add_a_batch_kind():
    """Two new files beside two changed ones, as the page says; and a plugin that uses them."""
    parts = source / "tests" / "contributing" / "batch_kind"
    header = "sdk/include/plumb/tensor/optimizer.h"
    end_of_classes = r"(// Every class that there are batches for\.)"
    classes = (parts / "classes.h").read_text()
    change(header, end_of_classes, lambda found: classes + found[1])
    change(header, r"(OptimizerClassList<[^>;]*)>;", r"\1, SequenceOptimizer>;")
    last_row = r"(\| `OnlineOptimizer` .*\n)"
    row = (parts / "doc_row.md").read_text()
    change("sdk/docs/optimizer.md", last_row, lambda found: found[1] + row)
    shutil.copy2(parts / "rows_and_objective.cpp", scratch / "framework/engine/stages/sequence_batches.cpp")
    shutil.copy2(parts / "draws.cpp", scratch / "sdk/check/tensor/sequence_batches.cpp")
    plugin = scratch / "plugins/optimizers/mean_likelihood"
    plugin.mkdir(parents=True, exist_ok=True)
    shutil.copy2(parts / "mean_likelihood.cpp", plugin)
    (plugin / "CMakeLists.txt").write_text("plumb_add_plugin(mean_likelihood TENSOR SOURCES mean_likelihood.cpp)\n")


def build_copy():
    call("cmake", "-S", scratch, "-B", build, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release", "-DBUILD_TESTING=OFF",
         f"-DPLUMB_LIBTORCH={libtorch}")
    call("cmake", "--build", build, "--target", "product")


def run_what_was_added():
    plumb = build / "bin" / "plumb"
    if call(plumb, "motto") != "straight\n":
        sys.exit("the verb does not say its word")
    if "straight" in call(plumb, "motto", "--help"):
        sys.exit("the verb's help is followed by what the verb does")
    for name in ("my_loss", "my_model", "mean_likelihood"):
        call(plumb, "plugins", "check", build / "lib" / "plumb" / "plugins" / f"{name}.plumb.so")
    recipe = scratch / "build" / "where.yaml"
    recipe.write_text(RECIPE)
    runs = scratch / "build" / "runs"
    shutil.rmtree(runs, ignore_errors=True)
    call(plumb, "run", recipe, "--runs", runs)
    rows = (runs / "where" / "few" / "prompts.jsonl").read_text().splitlines()
    responses = (runs / "where" / "responses" / "responses.jsonl").read_text().splitlines()
    if len(rows) != 3 or len(responses) != 3:
        sys.exit(f"{len(rows)} prompts and {len(responses)} groups of answers, wanted 3 and 3")


copy_tree()
add_what_the_page_says()
add_a_batch_kind()
build_copy()
run_what_was_added()
print("a stage kind, a loss, a model, a verb and a batch kind were added, built and run")
