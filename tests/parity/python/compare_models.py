"""Model folders of both sides, each loaded by the other: logits, reward scores, greedy text, token ids.

Models that a recipe trains here are opened with transformers and PEFT; models and adapters that transformers and PEFT
make with random weights are opened by this build (parity-probe). Real weights are compared where PLUMB_SHARED has them.
Bound: 1e-5 of the largest value in float32.
"""

import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile

import peft
import torch
import transformers
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file
from transformers import (AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer, GPTNeoXConfig,
                          GPTNeoXForCausalLM, GPTNeoXForSequenceClassification, LlamaConfig, LlamaForCausalLM,
                          LlamaForSequenceClassification)

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
BIN = pathlib.Path(os.environ.get("PLUMB_BUILD", ROOT / "build/release")) / "bin"
SHARED = pathlib.Path(os.environ.get("PLUMB_SHARED", ROOT.parent / "shared"))
BOUND = 1e-5

failures = 0
transformers.utils.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()
torch.set_num_threads(2)


def report(name, error, bound=BOUND):
    global failures
    good = error <= bound
    failures += not good
    print(f"{'ok  ' if good else 'FAIL'} {name}: {error:.2e} (bound {bound:.0e})", flush=True)


def random_rows(vocabulary, count=5, longest=60):
    rng = random.Random(vocabulary)
    return [[rng.randrange(vocabulary) for _ in range(rng.randint(2, longest))] for _ in range(count)]


def probe(what, folder, rows, *more):
    with tempfile.TemporaryDirectory() as name:
        given, out = pathlib.Path(name) / "rows.json", pathlib.Path(name) / "out.safetensors"
        given.write_text(json.dumps(rows))
        subprocess.run([BIN / "parity-probe", what, folder, given, out, *map(str, more)], check=True)
        return {key: value.clone() for key, value in load_file(out).items()}


def farthest(ours, theirs):
    return ((ours - theirs).abs().max() / theirs.abs().max()).item()


@torch.no_grad()
def compare_logits(name, folder, model, rows=None):
    rows = rows or random_rows(model.config.vocab_size)
    ours = probe("logits", folder, rows)
    model.eval()
    report(name, max(farthest(ours[str(i)], model(torch.tensor([row])).logits[0]) for i, row in enumerate(rows)))


@torch.no_grad()
def compare_rewards(name, folder, model):
    """Single rows, and one batch padded on either side. Rows end as answers do, with EOS, once or twice, and with the
    padding token: where it is EOS, transformers reads the token before."""
    model.eval()
    pad, eos = model.config.pad_token_id, model.config.eos_token_id
    ends = [[eos], [eos, eos], [5], [eos if pad is None else pad, eos], [6, eos if pad is None else pad]]
    rows = [[3] + row + end for row, end in zip(random_rows(model.config.vocab_size), ends, strict=True)]
    ours = probe("rewards", folder, rows)["rewards"]
    alone = torch.stack([model(torch.tensor([row])).logits[0, 0] for row in rows])
    report(f"{name}, row by row", farthest(ours, alone))
    if pad is None:
        return  # transformers refuses a batch
    width = max(map(len, rows))
    for side in ("right", "left"):
        def padded(row, value):
            fill = [value] * (width - len(row))
            return row + fill if side == "right" else fill + row
        ids = torch.tensor([padded(row, pad) for row in rows])
        mask = torch.tensor([padded([1] * len(row), 0) for row in rows])
        positions = (mask.cumsum(1) - 1).clamp(min=0)
        scores = model(ids, attention_mask=mask, position_ids=positions).logits[:, 0]
        report(f"{name}, padded {side}", farthest(ours, scores))


@torch.no_grad()
def compare_greedy(name, folder, model, rows, count):
    ours = probe("greedy", folder, rows, count)
    different = 0
    for i, row in enumerate(rows):
        theirs = model.generate(torch.tensor([row]), max_new_tokens=count, min_new_tokens=count, do_sample=False,
                                pad_token_id=0)[0, len(row):]
        different += (ours[str(i)] != theirs).sum().item()
    report(f"{name}, {count} greedy tokens, different", different, 0)


def compare_tokenizer(name, folder):
    texts = ["give three fruits not plum, please.", " two  spaces\n\tand tabs", "naïve ☕ 漢字", "", "it's 10,000 of them"]
    given = "".join(json.dumps(text) + "\n" for text in texts)
    done = subprocess.run([BIN / "plumb", "tokenize", folder, "--no-special"], input=given.encode(), check=True,
                          capture_output=True)
    ours = [json.loads(line)["ids"] for line in done.stdout.decode().splitlines()]
    tokenizer = AutoTokenizer.from_pretrained(folder)
    report(f"{name}, AutoTokenizer, different", sum(a != tokenizer(t, add_special_tokens=False)["input_ids"]
                                                    for a, t in zip(ours, texts, strict=True)), 0)


def ours_in_theirs(folder):
    runs = folder / "runs"
    subprocess.run([BIN / "plumb", "run", HERE / "models.yaml", "--runs", runs, "--quiet"], check=True, capture_output=True)
    run = runs / "parity-models"
    for kind in ("llama", "pythia"):
        whole = run / f"{kind}-whole"
        model = AutoModelForCausalLM.from_pretrained(whole)
        compare_logits(f"our {kind} in transformers", whole, model)
        compare_greedy(f"our {kind}", whole, model, random_rows(model.config.vocab_size, 3, 20), 64)
        compare_tokenizer(f"our {kind}", whole)

        tuned = run / f"{kind}-lora"
        adapted = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(tuned / "base"), tuned)
        moved = [p.abs().max().item() for n, p in adapted.named_parameters() if "lora_B" in n]
        if not moved or min(moved) == 0:
            report(f"our {kind} adapter has weights", float("inf"))
        compare_logits(f"our {kind} adapter in peft", tuned, adapted)
        compare_logits(f"our {kind} with the adapter folded in", tuned / "merged",
                       AutoModelForCausalLM.from_pretrained(tuned / "merged"))
        compare_logits(f"our {kind} adapter in peft, against the merged folder", tuned / "merged", adapted)
        compare_tokenizer(f"our {kind} adapter", tuned)

        again = run / f"{kind}-again"  # trained above that adapter: one adapter over the same base
        compare_logits(f"our {kind} adapter above an adapter in peft", again,
                       PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(again / "base"), again))

        rewarding = AutoModelForSequenceClassification.from_pretrained(run / f"{kind}-reward", num_labels=1)
        if rewarding.config.pad_token_id == rewarding.config.eos_token_id:
            report(f"our {kind} reward model is padded with EOS", float("inf"))
        compare_rewards(f"our {kind} reward model in transformers", run / f"{kind}-reward", rewarding)


def randomise(model, seed):
    """Norms and biases off 1 and 0, so that leaving one out shows."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    return model


def compare_adapter(name, folder, base, settings, rows=97):
    """An adapter with random numbers in all that it trains, saved by PEFT and opened by both sides."""
    model = type(base).from_pretrained(folder / "base")
    if rows != model.config.vocab_size:
        model.resize_token_embeddings(rows, mean_resizing=False)
    made = get_peft_model(model, LoraConfig(**{"r": 4, "lora_alpha": 6, "task_type": "CAUSAL_LM", **settings}))
    generator = torch.Generator().manual_seed(len(name))
    with torch.no_grad():  # and in the tables, which PEFT writes beside their adapters and after they were resized
        for parameter in made.parameters():
            if parameter.requires_grad or parameter.shape[0] == rows:
                parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    place = folder / name.replace(" ", "_").replace(",", "")
    made.save_pretrained(place, save_embedding_layers=True if rows != 97 else "auto")
    config = json.loads((place / "adapter_config.json").read_text())
    config["base_model_name_or_path"] = "../base"
    (place / "adapter_config.json").write_text(json.dumps(config))
    again = type(base).from_pretrained(folder / "base")
    if rows != again.config.vocab_size:
        again.resize_token_embeddings(rows, mean_resizing=False)
    loaded = PeftModel.from_pretrained(again, place)
    compare_logits(f"their {name}", place, loaded, random_rows(rows, longest=100))
    merged = folder / f"{place.name}_merged"
    subprocess.run([BIN / "plumb", "merge", place, merged], check=True, capture_output=True)
    compare_logits(f"their {name}, merged", merged, loaded, random_rows(rows, longest=100))


def sorts_of_adapters(folder, small):
    bases = {"llama": LlamaForCausalLM(LlamaConfig(**small, attention_bias=True)),
             "tied llama": LlamaForCausalLM(LlamaConfig(**small, tie_word_embeddings=True)),
             "neox": GPTNeoXForCausalLM(GPTNeoXConfig(**small))}
    for seed, (kind, base) in enumerate(bases.items()):
        neox = kind == "neox"
        layers = ["query_key_value", "dense_4h_to_h"] if neox else ["q_proj", "down_proj"]
        table, head = ("embed_in", "lm_head") if neox else ("embed_tokens", "lm_head")
        norm = "final_layer_norm" if neox else "input_layernorm"
        place = folder / kind.replace(" ", "_")
        randomise(base, seed + 20).save_pretrained(place / "base")
        for name, settings in {
            "DoRA": {"target_modules": layers, "use_dora": True},
            "DoRA with rsLoRA and patterns": {"target_modules": layers, "use_dora": True, "use_rslora": True,
                                              "rank_pattern": {layers[0]: 2}, "alpha_pattern": {r"layers\.1\..*": 9}},
            "LoRA of table and head": {"target_modules": [*layers, table, head]},
            "LoRA of the table": {"target_modules": [table]},
            "DoRA of table and head": {"target_modules": [*layers, table, head], "use_dora": True},
            "saved table and head": {"target_modules": layers, "modules_to_save": [table, head]},
            "saved table": {"target_modules": layers, "modules_to_save": [table]},
            "saved head": {"target_modules": layers, "modules_to_save": [head]},
            "saved norm": {"target_modules": layers, "modules_to_save": [norm]},
            "trained biases": {"target_modules": layers, "bias": "all"},
            "PiSSA": {"target_modules": layers, "init_lora_weights": "pissa"},
            "OLoRA": {"target_modules": layers, "init_lora_weights": "olora"},
        }.items():
            compare_adapter(f"{name} on {kind}", place, base, settings)
        compare_adapter(f"resized vocabulary on {kind}", place, base, {"target_modules": layers}, 101)


def theirs_in_ours(folder):
    small = {"vocab_size": 97, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
             "intermediate_size": 48, "max_position_embeddings": 128, "pad_token_id": 0}
    llama3 = {"rope_type": "llama3", "rope_theta": 10000.0, "factor": 4.0, "low_freq_factor": 1.0,
              "high_freq_factor": 4.0, "original_max_position_embeddings": 32}
    made = {
        "llama": LlamaForCausalLM(LlamaConfig(**small)),
        "llama grouped, tied": LlamaForCausalLM(LlamaConfig(**small, num_key_value_heads=2, tie_word_embeddings=True)),
        "llama one key head, wide heads, biases": LlamaForCausalLM(LlamaConfig(
            **small, num_key_value_heads=1, head_dim=12, attention_bias=True, mlp_bias=True, rms_norm_eps=1e-4)),
        "llama stretched positions": LlamaForCausalLM(LlamaConfig(**small, rope_parameters=llama3)),
        "neox": GPTNeoXForCausalLM(GPTNeoXConfig(**small)),
        "neox sequential, half rotary, no biases": GPTNeoXForCausalLM(GPTNeoXConfig(
            **small, use_parallel_residual=False, attention_bias=False,
            rope_parameters={"rope_type": "default", "rope_theta": 5000.0, "partial_rotary_factor": 0.5})),
    }
    for seed, (name, model) in enumerate(made.items()):
        place = folder / name.replace(" ", "_").replace(",", "")
        randomise(model, seed).save_pretrained(place)
        compare_logits(f"their {name}", place, model, random_rows(97, longest=100))

        targets = ["q_proj", "o_proj", "up_proj"] if name.startswith("llama") else ["query_key_value", "dense_4h_to_h"]
        adapted = get_peft_model(model, LoraConfig(r=4, lora_alpha=20, target_modules=targets, task_type="CAUSAL_LM"))
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():  # B starts at zero, where every adapter equals its base
            for key, parameter in adapted.named_parameters():
                if "lora_B" in key:
                    parameter.copy_(0.2 * torch.randn(parameter.shape, generator=generator))
        adapter = folder / f"{place.name}_adapter"
        adapted.save_pretrained(adapter)
        config = json.loads((adapter / "adapter_config.json").read_text())
        config["base_model_name_or_path"] = str(place)
        (adapter / "adapter_config.json").write_text(json.dumps(config))
        compare_logits(f"their adapter on {name}", adapter, adapted, random_rows(97, longest=100))

    sorts_of_adapters(folder, small)

    ended = {**small, "eos_token_id": 2, "num_labels": 1}
    heads = {f"{kind} reward model{padding}": made({**ended, "pad_token_id": pad})
             for kind, made in (("llama", lambda c: LlamaForSequenceClassification(LlamaConfig(**c))),
                                ("neox", lambda c: GPTNeoXForSequenceClassification(GPTNeoXConfig(**c))))
             for padding, pad in (("", 0), (", padded with EOS", 2), (", without padding", None))}
    for seed, (name, model) in enumerate(heads.items()):
        place = folder / name.replace(" ", "_").replace(",", "")
        randomise(model, seed + 50).save_pretrained(place)
        compare_rewards(f"their {name}", place, model)


def real_weights():
    stories = SHARED / "data/stories260K-hf"
    if not stories.is_dir():
        print(f"skipped: {stories} is not there (set PLUMB_SHARED)")
        return
    model = AutoModelForCausalLM.from_pretrained(stories)
    compare_logits("real weights", stories, model, random_rows(model.config.vocab_size, longest=200))
    compare_greedy("real weights", stories, model, [[1], [1, 403, 407, 261, 378], [1, 410, 404, 260]], 256)


def main():
    print(f"torch {torch.__version__}, transformers {transformers.__version__}, peft {peft.__version__}")
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        ours_in_theirs(folder)
        theirs_in_ours(folder)
    real_weights()
    print(f"{failures} comparisons fail")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
