"""Random Unicode through `plumb tokenize` and through the tokenizers and sentencepiece libraries.

Compares ids of texts, texts of ids, the treatment of special tokens, and the merges of a vocabulary trained by a recipe
with those of HF's BpeTrainer. PLUMB_SHARED points to the shared data; what needs it is skipped without. PLUMB_TEXTS is
the number of texts in all (default 120,000), PLUMB_SEED the seed.
"""

import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import unicodedata

import sentencepiece
import tokenizers
from tokenizers import (AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors,
                        trainers)

ROOT = pathlib.Path(__file__).resolve().parents[3]
PLUMB = pathlib.Path(os.environ.get("PLUMB_BUILD", ROOT / "build/release")) / "bin/plumb"
SHARED = pathlib.Path(os.environ.get("PLUMB_SHARED", ROOT.parent / "shared"))
TEXTS = int(os.environ.get("PLUMB_TEXTS", "120000"))
SEED = int(os.environ.get("PLUMB_SEED", "1"))

failures = 0
compared = 0

WORDS = "the of and It's we'll don't they've I'm he'd you're HELLO naïve Straße 3.14 10,000 x=y() foo_bar [INST] … — “q” '".split(" ")
SPACES = [" ", "  ", "   ", "\n", "\n\n", "\t", "\r\n", "\u00a0", "\u2003", "\u3000", "\u200b", "\u0085", "\x1c", "\u2581"]
SCRIPTS = [
    (0x20, 0x7E), (0xA0, 0x24F), (0x300, 0x36F), (0x370, 0x52F), (0x590, 0x6FF), (0x900, 0xDFF), (0xE00, 0xEFF),
    (0x1100, 0x11FF), (0x1E00, 0x1FFF), (0x2000, 0x2BFF), (0x3040, 0x30FF), (0x4E00, 0x9FFF), (0xAC00, 0xD7A3),
    (0xF900, 0xFAFF), (0xFB00, 0xFDFF), (0xFE00, 0xFFEF), (0x1D100, 0x1D7FF), (0x1F300, 0x1FAFF), (0x20000, 0x2FA1D),
]


# Blocks with letters and numbers of Unicode 15 and later. Which of them a library knows depends on its age, on either
# side, so they are left out; what no version assigns is not.
LATER = [
    (0x1C89, 0x1C8A), (0xA7CB, 0xA7DC), (0x105C0, 0x105FF), (0x10940, 0x1095F), (0x10D40, 0x10D8F), (0x10EC0, 0x10EFF),
    (0x11200, 0x1124F), (0x11380, 0x113FF), (0x116D0, 0x116FF), (0x11B00, 0x11BFF), (0x11DB0, 0x11DEF),
    (0x11F00, 0x11F5F), (0x13430, 0x143FF), (0x16100, 0x1613F), (0x16D40, 0x16D8F), (0x16EA0, 0x16EDF),
    (0x18CD6, 0x18DFF), (0x1B120, 0x1B16F), (0x1CC00, 0x1CEFF), (0x1D2C0, 0x1D2DF), (0x1DF25, 0x1DFFF),
    (0x1E030, 0x1E08F), (0x1E4D0, 0x1E7DF), (0x2EBF0, 0x2F7FF), (0x31350, 0x33FFF),
]


def known(code):
    if 0xD800 <= code < 0xE000 or any(low <= code <= high for low, high in LATER):
        return False
    return code >= 0x34000 or unicodedata.category(chr(code)) != "Cn"


def character(rng):
    while True:
        kind = rng.random()
        if kind < 0.3:
            return chr(rng.randint(0x20, 0x7E))
        low, high = rng.choice(SCRIPTS)
        code = rng.randint(low, high) if kind < 0.85 else rng.randrange(0x110000 if kind < 0.93 else 0x3000)
        if known(code):
            return chr(code)


def text(rng):
    parts = []
    for _ in range(rng.randint(1, 12)):
        kind = rng.random()
        if kind < 0.3:
            parts.append(rng.choice(WORDS))
        elif kind < 0.55:
            parts.append(rng.choice(SPACES) * rng.choice([1, 1, 1, 2, 5]))
        else:
            parts.append("".join(character(rng) for _ in range(rng.randint(1, 6))))
    joined = "".join(parts)
    return unicodedata.normalize("NFD", joined) if rng.random() < 0.1 else joined


def texts(count, salt):
    rng = random.Random(f"{SEED} {salt}")
    return [text(rng) for _ in range(count)]


def plumb(path, lines, *options):
    given = "".join(json.dumps(line) + "\n" for line in lines)
    done = subprocess.run([PLUMB, "tokenize", path, *options], input=given.encode(), capture_output=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"plumb tokenize {path} failed: {done.stderr.decode()}")
    return [json.loads(line) for line in done.stdout.decode().split("\n") if line]


def check(name, inputs, ours, theirs):
    global failures, compared
    wrong = [i for i, (a, b) in enumerate(zip(ours, theirs, strict=True)) if a != b]
    compared += len(inputs)
    failures += len(wrong)
    print(f"{'ok  ' if not wrong else 'FAIL'} {name}: {len(inputs)} compared, {len(wrong)} differ", flush=True)
    for i in wrong[:3]:
        print(f"     {ascii(inputs[i])}\n       ours   {ascii(ours[i])}\n       theirs {ascii(theirs[i])}")


def random_ids(vocabulary, count, salt):
    rng = random.Random(f"{SEED} ids {salt}")
    return [[rng.randrange(vocabulary) for _ in range(rng.randint(1, 20))] for _ in range(count)]


def compare_json(name, path, count, special=()):
    """A tokenizer.json against HF: ids, texts, and special tokens inside of a text."""
    reference = Tokenizer.from_file(str(path))
    given = texts(count, name)
    theirs = [e.ids for e in reference.encode_batch(given, add_special_tokens=False)]
    check(f"{name} ids", given, [row["ids"] for row in plumb(path, given, "--no-special")], theirs)
    ids = theirs[: count // 10] + random_ids(reference.get_vocab_size(), count // 10, name)
    check(f"{name} texts", ids, plumb(path, ids, "--no-special", "--decode"), [reference.decode(i) for i in ids])
    check(f"{name} texts with special tokens", ids, plumb(path, ids, "--decode"),
          [reference.decode(i, skip_special_tokens=False) for i in ids])
    if special:
        rng = random.Random(SEED)
        mixed = [rng.choice(special).join([a, b]) for a, b in zip(given[::20], given[10::20])]
        check(f"{name} ids with special tokens", mixed, [row["ids"] for row in plumb(path, mixed)],
              [reference.encode(t).ids for t in mixed])


def compare_model(name, path, count):
    """A SentencePiece model against the library."""
    reference = sentencepiece.SentencePieceProcessor(model_file=str(path))
    given = texts(count, name)
    theirs = reference.encode(given)
    check(f"{name} ids", given, [row["ids"] for row in plumb(path, given, "--no-special")], theirs)
    ids = theirs[: count // 10] + random_ids(reference.get_piece_size(), count // 10, name)
    check(f"{name} texts", ids, plumb(path, ids, "--no-special", "--decode"), reference.decode(ids))


def corpus():
    rng = random.Random(f"{SEED} corpus")
    return [" ".join(rng.choice(WORDS) for _ in range(rng.randint(3, 12))) for _ in range(2000)] + texts(2000, "corpus")


def made_json(folder):
    """Vocabularies trained here, for the steps that the shared tokenizers do not use."""
    llama3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
              r"|\s*[\r\n]+|\s+(?!\S)|\s+")
    byte_level = {"initial_alphabet": pre_tokenizers.ByteLevel.alphabet(), "show_progress": False}
    split = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(llama3), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    digits = pre_tokenizers.Sequence([
        pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=True, use_regex=True)])
    words = pre_tokenizers.Sequence([pre_tokenizers.Whitespace(), pre_tokenizers.Punctuation("merged_with_next"),
                                     pre_tokenizers.Split(Regex(r"[\w&&[^\d_]]{2}+|\h+|[[:punct:]]\b"), "isolated")])
    lower = normalizers.Sequence([normalizers.Strip(), normalizers.Lowercase(), normalizers.Replace(Regex(r"\s+"), " ")])
    made = {
        "words and signs, lower case": (words, lower, decoders.Fuse(), {"show_progress": False}),
        "regex split": (split, None, decoders.ByteLevel(), byte_level),
        "digits, prefix space, NFKC": (digits, normalizers.NFKC(), decoders.ByteLevel(), byte_level),
        "metaspace": (pre_tokenizers.Metaspace(prepend_scheme="always"), None, decoders.Metaspace(), {"show_progress": False}),
        "metaspace first": (pre_tokenizers.Metaspace(prepend_scheme="first", split=False), normalizers.NFD(),
                            decoders.Metaspace(prepend_scheme="first"), {"show_progress": False}),
    }
    for name, (pre, normal, decoder, options) in made.items():
        t = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True))
        t.pre_tokenizer, t.decoder = pre, decoder
        if normal is not None:
            t.normalizer = normal
        t.train_from_iterator(corpus(), trainers.BpeTrainer(vocab_size=1200, special_tokens=["<unk>", "<s>", "</s>"], **options))
        t.add_tokens([AddedToken("foo_bar", normalized=False), AddedToken("HELLO", normalized=True), AddedToken("   "),
                      AddedToken("the", single_word=True, normalized=False), AddedToken("of", lstrip=True, rstrip=True)])
        t.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", t.token_to_id("<s>"))])
        path = folder / f"{name.replace(' ', '_').replace(',', '')}.json"
        t.save(str(path))
        yield name, path


def made_models(folder):
    rows = folder / "corpus.txt"
    lines = corpus()[:2400]  # few enough random ones that their characters leave room for longer pieces
    rows.write_text("\n".join(t.replace("\n", " ").replace("\r", " ").replace("\0", " ") for t in lines), encoding="utf-8")
    common = {"input": str(rows), "vocab_size": 5000, "minloglevel": 2, "hard_vocab_limit": False, "character_coverage": 0.98}
    made = {
        "spm bpe nmt_nfkc byte fallback": {"model_type": "bpe", "byte_fallback": True},
        "spm bpe identity": {"model_type": "bpe", "normalization_rule_name": "identity", "remove_extra_whitespaces": False,
                             "user_defined_symbols": ["[INST]", "foo", "  "]},
        "spm unigram nmt_nfkc": {"model_type": "unigram"},
        "spm unigram nfkc_cf user defined": {"model_type": "unigram", "normalization_rule_name": "nfkc_cf", "byte_fallback": True,
                                             "user_defined_symbols": ["[INST]", "he'd"]},
        "spm unigram no prefix": {"model_type": "unigram", "add_dummy_prefix": False, "remove_extra_whitespaces": False},
    }
    for name, options in made.items():
        prefix = folder / name.replace(" ", "_")
        sentencepiece.SentencePieceTrainer.train(model_prefix=str(prefix), **common, **options)
        yield name, prefix.with_suffix(".model")


RECIPE = """
name: parity
seed: 1
datasets:
  demos: {source: {name: requests, records: demonstrations, count: 3000}}
stages:
  bpe: {stage: tokenizer, data: demos, vocabulary_size: 700}
"""


def compare_trained(folder, count):
    """A vocabulary trained by a recipe: the merges of HF's trainer on the same texts, and the same ids in HF."""
    (folder / "parity.yaml").write_text(RECIPE)
    runs = folder / "runs"
    subprocess.run([PLUMB, "run", folder / "parity.yaml", "--runs", runs, "--quiet"], check=True, capture_output=True)
    ours = next(runs.rglob("tokenizer.json"))
    rows = [json.loads(line) for line in next(runs.rglob("demonstrations.jsonl")).open()]
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    t.train_from_iterator((m["content"] for row in rows for m in row["messages"]), trainers.BpeTrainer(
        vocab_size=700, min_frequency=2, special_tokens=["<s>", "</s>", "<pad>"], show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    theirs = json.loads(t.to_str())["model"]
    merges = json.loads(ours.read_text())["model"]["merges"]
    check("trained merges", merges, merges, [" ".join(m) for m in theirs["merges"]])
    vocabulary = json.loads(ours.read_text())["model"]["vocab"]
    check("trained vocabulary", ["all"], [vocabulary], [theirs["vocab"]])
    compare_json("trained by a recipe", ours, count, ["<s>", "</s>", "<pad>"])


def main():
    print(f"tokenizers {tokenizers.__version__}, sentencepiece {sentencepiece.__version__}, seed {SEED}")
    share = TEXTS // 13
    data = SHARED / "data"
    if data.is_dir():
        compare_json("gpt-neox", data / "neox-tokenizer/20B_tokenizer.json", share, ["<|endoftext|>", "<|padding|>"])
        compare_json("llama-2 json", data / "llama2-tokenizer/tokenizer.json", share, ["<s>", "</s>", " </s> "])
        compare_model("llama-2 model", data / "llama2-tokenizer/tokenizer.model", share)
        compare_model("stories model", data / "stories260K-hf/tokenizer.model", share)
    else:
        print(f"skipped: {data} is not there (set PLUMB_SHARED)")
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for label, path in made_json(folder):
            compare_json(label, path, share, ["<s>", "</s>"])
        for label, path in made_models(folder):
            compare_model(label, path, share)
        compare_trained(folder, share)
    print(f"{compared} comparisons, {failures} differ")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
