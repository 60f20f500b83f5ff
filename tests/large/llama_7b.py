#!/usr/bin/env python3
"""A model of Llama-2-7B's size on this machine: it opens, answers, and goes from sampling through scoring and selection to one
update of DPO with an adapter, in bfloat16 and above linear layers in 8 bits.

    llama_7b.py SOURCE PLUMB SCRATCH [--layers N] [full | int8]...

The folder (13 GB) is made in SCRATCH from bytes that no one trained, and removed at the end. What each stage took at its peak,
of which the mapped weights are a part, is printed and held to the limits below. Measured with 8-bit layers on two busy cores:
sampling 6.6 GiB, the update 7.2 GiB, 17 minutes in all; in bfloat16 it was not measured yet. Skips (status 77) where disk or memory are short.
"""
import json
import math
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import time

GIB = 1 << 30
LIMITS = {"full": 18, "int8": 11}  # GiB
SHARD = 4 * GIB
BLOCK = 32 << 20  # numbers that repeat, from another place for each tensor

RECIPE = """\
name: seven-{weights}
base: {source}/recipes/lab/smoke.yaml
datasets:
  prompts: {{source: {{count: 2}}}}
models:
  seven: {{path: {folder}, chat_format: plain}}
stages:
  responses: {{model: seven, k: 4, max_new_tokens: 6, generator: {{name: local, dtype: bfloat16, weights: {weights}}}}}
  pairs: {{policy: best-vs-worst}}
  aligned: {{model: seven, batch_size: 1, max_steps: 1, dtype: bfloat16, weights: {weights}, gradient_checkpointing: true}}
  gold: null
  report: null
"""


def tensors(config):
    """Name and shape of each, as transformers saves them."""
    hidden, inner, vocabulary = (config[key] for key in ("hidden_size", "intermediate_size", "vocab_size"))
    yield "model.embed_tokens.weight", [vocabulary, hidden]
    for layer in range(config["num_hidden_layers"]):
        at = f"model.layers.{layer}."
        for name in "qkvo":
            yield f"{at}self_attn.{name}_proj.weight", [hidden, hidden]
        yield f"{at}mlp.gate_proj.weight", [inner, hidden]
        yield f"{at}mlp.up_proj.weight", [inner, hidden]
        yield f"{at}mlp.down_proj.weight", [hidden, inner]
        yield f"{at}input_layernorm.weight", [hidden]
        yield f"{at}post_attention_layernorm.weight", [hidden]
    yield "model.norm.weight", [hidden]
    yield "lm_head.weight", [vocabulary, hidden]


def numbers_block():
    """bfloat16 between 2^-7 and 2^-5 in size, of either sign: a deviation of about 0.02."""
    block = bytearray(2 * BLOCK)
    block[0::2] = os.urandom(BLOCK)
    block[1::2] = os.urandom(BLOCK).translate(bytes(0x3C if byte < 128 else 0xBC for byte in range(256)))
    return bytes(block)


def write_shard(file, entries, block):
    header, end = {}, 0
    for name, shape in entries:
        size = 2 * math.prod(shape)
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [end, end + size]}
        end += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(file, "wb") as out:
        out.write(struct.pack("<Q", len(text)) + text)
        for number, (name, shape) in enumerate(entries):
            size = header[name]["data_offsets"][1] - header[name]["data_offsets"][0]
            if len(shape) == 1:
                out.write(b"\x80\x3f" * shape[0])
                continue
            start = 2 * (number * 7919 * 1009 % BLOCK)
            while size > 0:
                part = block[start:start + size]
                out.write(part)
                size, start = size - len(part), 0


def write_model(folder, config, tokenizer):
    folder.mkdir(parents=True)
    shards, size = [[]], 0
    for name, shape in tensors(config):
        of_this = 2 * math.prod(shape)
        if size + of_this > SHARD:
            shards.append([])
            size = 0
        shards[-1].append((name, shape))
        size += of_this
    block, index = numbers_block(), {}
    for number, entries in enumerate(shards, 1):
        file = f"model-{number:05}-of-{len(shards):05}.safetensors"
        write_shard(folder / file, entries, block)
        index.update((name, file) for name, _ in entries)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": index}))
    (folder / "config.json").write_text(json.dumps(config))
    for file in tokenizer.iterdir():
        if file.name.startswith(("tokenizer", "special_tokens", "vocab", "merges")):
            shutil.copy(file, folder)


def available(of):
    for line in open("/proc/meminfo"):
        if line.startswith(of):
            return int(line.split()[1]) * 1024
    return 0


def run(plumb, folder, *words):
    print("$ plumb", *words, flush=True)
    start = time.monotonic()
    done = subprocess.run([plumb, *words], cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True)
    print(done.stdout, f"({time.monotonic() - start:.0f} s)", flush=True)
    if done.returncode != 0:
        sys.exit(f"`plumb {' '.join(words)}` ended with status {done.returncode}")


def main():
    words = sys.argv[1:]
    layers = 32
    if "--layers" in words:
        at = words.index("--layers")
        layers = int(words[at + 1])
        del words[at:at + 2]
    source, plumb, scratch = (pathlib.Path(word).resolve() for word in words[:3])
    kinds = words[3:] or list(LIMITS)
    scratch.mkdir(parents=True, exist_ok=True)
    room, memory = shutil.disk_usage(scratch).free, available("MemAvailable")
    if room < 16 * GIB or memory < (max(LIMITS[kind] for kind in kinds) + 1) * GIB:
        print(f"skipped: {room / GIB:.0f} GiB of disk and {memory / GIB:.0f} GiB of memory are free; 16 are wanted, and "
              f"one more than the limit of {', '.join(kinds)}")
        sys.exit(77)
    config = json.loads((source / "recipes/paper/models/Llama-2-7b/config.json").read_text())
    config.update(num_hidden_layers=layers, torch_dtype="bfloat16")
    work = scratch / "seven"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    try:
        run(plumb, work, "run", f"{source}/recipes/lab/smoke.yaml", "--until", "bpe", "--quiet")
        write_model(work / "model", config, work / "runs/smoke/bpe")
        peaks = {}
        for weights in kinds:
            run(plumb, work, "generate", "model", "--prompt", "give three fruits, please.", "--max-new-tokens", "4", "--greedy",
                "--chat-format", "plain", "--dtype", "bfloat16", "--weights", weights)
            (work / f"{weights}.yaml").write_text(RECIPE.format(weights=weights, source=source, folder=work / "model"))
            run(plumb, work, "run", f"{weights}.yaml", "--until", "aligned", "--quiet")
            record = json.loads((work / f"runs/seven-{weights}/run.json").read_text())
            for stage in record["stages"]:
                if stage["stage"] in ("seven", "responses", "aligned"):
                    peaks[weights, stage["stage"]] = stage["peak_bytes"] / GIB
                    print(f"{weights}: {stage['stage']}: {stage['seconds']:.0f} s, peak {stage['peak_bytes'] / GIB:.1f} GiB")
            metrics = (work / f"runs/seven-{weights}/aligned/metrics.jsonl").read_text().splitlines()
            loss = json.loads(metrics[0])["loss"]
            print(f"{weights}: first loss {loss}", flush=True)
            if abs(loss - 0.69314718) > 1e-6:
                sys.exit(f"{weights}: DPO begins at its reference, so its first loss is ln 2; found {loss}")
    finally:
        shutil.rmtree(work, ignore_errors=True)
    for (weights, stage), peak in peaks.items():
        if layers == 32 and peak > LIMITS[weights]:
            sys.exit(f"{weights}: stage {stage} took {peak:.1f} GiB, at most {LIMITS[weights]} were wanted")


main()
