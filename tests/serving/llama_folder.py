"""A small Llama's Hugging Face folder: as GGUF for llama.cpp, and its next-token probabilities by plain definitions.

    write_gguf(folder, "model.gguf", shift=0.0)       # shift: added to the final norm, for a model that is not the folder's
    p = Llama(folder).probabilities(ids, temperature, top_k, top_p)
"""
import json
import pathlib

import numpy as np
from gguf import GGUFWriter, TokenType
from safetensors.numpy import load_file


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def fields(data):
    """(number, value) of each field of a protobuf message; 32-bit ones are read as floats."""
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        if key & 7 == 0:
            value, at = varint(data, at)
        elif key & 7 == 2:
            size, at = varint(data, at)
            value, at = data[at:at + size], at + size
        else:  # 5: the only other type in a SentencePiece model's pieces
            value, at = float(np.frombuffer(data[at:at + 4], "<f4")[0]), at + 4
        yield key >> 3, value


def pieces(folder):
    """(text, score, type) of every piece of tokenizer.model."""
    for number, value in fields((folder / "tokenizer.model").read_bytes()):
        if number == 1:
            piece = dict(fields(value))
            yield piece[1], piece.get(2, 0.0), piece.get(3, 1)


def paired(weight, heads):
    """Rows of a q or k projection from HF's halves of the rotary dimensions to llama.cpp's neighbours."""
    return weight.reshape(heads, 2, -1, weight.shape[1]).swapaxes(1, 2).reshape(weight.shape)


def write_gguf(folder, file, shift=0.0):
    folder = pathlib.Path(folder)
    config, weights = json.loads((folder / "config.json").read_text()), load_file(folder / "model.safetensors")
    heads, kv_heads = config["num_attention_heads"], config["num_key_value_heads"]
    out = GGUFWriter(str(file), "llama")
    out.add_context_length(config["max_position_embeddings"])
    out.add_embedding_length(config["hidden_size"])
    out.add_block_count(config["num_hidden_layers"])
    out.add_feed_forward_length(config["intermediate_size"])
    out.add_head_count(heads)
    out.add_head_count_kv(kv_heads)
    out.add_layer_norm_rms_eps(config["rms_norm_eps"])
    out.add_rope_dimension_count(config["hidden_size"] // heads)
    out.add_rope_freq_base(config["rope_theta"])
    out.add_vocab_size(config["vocab_size"])
    vocabulary = list(pieces(folder))
    vocabulary += [(b"<unused>", -1e4, TokenType.UNUSED)] * (config["vocab_size"] - len(vocabulary))
    out.add_tokenizer_model("llama")
    out.add_token_list([text for text, _, _ in vocabulary])
    out.add_token_scores([score for _, score, _ in vocabulary])
    out.add_token_types([kind for _, _, kind in vocabulary])
    out.add_bos_token_id(config["bos_token_id"])
    out.add_eos_token_id(config["eos_token_id"])
    parts = {"input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm", "self_attn.q_proj": "attn_q",
             "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output",
             "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down"}
    whole = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}
    for name, weight in weights.items():
        weight, stem = weight.astype(np.float32), name.removesuffix(".weight")
        if stem in whole:
            added = shift * np.arange(len(weight), dtype=np.float32) if stem == "model.norm" else 0
            out.add_tensor(f"{whole[stem]}.weight", weight + added)
            continue
        layer, part = stem.removeprefix("model.layers.").split(".", 1)
        if part == "self_attn.q_proj":
            weight = paired(weight, heads)
        if part == "self_attn.k_proj":
            weight = paired(weight, kv_heads)
        out.add_tensor(f"blk.{layer}.{parts[part]}.weight", weight)
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()


class Llama:
    """float64 throughout; nothing is cached."""

    def __init__(self, folder):
        folder = pathlib.Path(folder)
        self.config = json.loads((folder / "config.json").read_text())
        self.w = {name: w.astype(np.float64) for name, w in load_file(folder / "model.safetensors").items()}

    def norm(self, x, name):
        return x / np.sqrt((x * x).mean(-1, keepdims=True) + self.config["rms_norm_eps"]) * self.w[name + ".weight"]

    def rotate(self, x):
        """x [length, heads, dim]: each dimension of the first half turns with its partner in the second."""
        half = x.shape[-1] // 2
        angles = np.arange(len(x))[:, None] * self.config["rope_theta"] ** (-np.arange(half) / half)
        cos, sin = np.cos(angles)[:, None], np.sin(angles)[:, None]
        a, b = x[..., :half], x[..., half:]
        return np.concatenate([a * cos - b * sin, b * cos + a * sin], -1)

    def logits(self, ids):
        """Of the token after ids, [vocabulary]."""
        c, w = self.config, self.w
        heads, kv_heads = c["num_attention_heads"], c["num_key_value_heads"]
        x = w["model.embed_tokens.weight"][ids]
        for layer in range(c["num_hidden_layers"]):
            at = f"model.layers.{layer}."
            h = self.norm(x, at + "input_layernorm")
            q, k, v = (h @ w[f"{at}self_attn.{p}_proj.weight"].T for p in "qkv")
            q = self.rotate(q.reshape(len(ids), heads, -1))
            k, v = (np.repeat(y.reshape(len(ids), kv_heads, -1), heads // kv_heads, 1) for y in (k, v))
            k = self.rotate(k)
            scores = np.einsum("qhd,khd->hqk", q, k) / np.sqrt(q.shape[-1])
            scores[:, np.triu(np.ones((len(ids), len(ids)), bool), 1)] = -np.inf
            p = np.exp(scores - scores.max(-1, keepdims=True))
            p /= p.sum(-1, keepdims=True)
            x = x + np.einsum("hqk,khd->qhd", p, v).reshape(len(ids), -1) @ w[at + "self_attn.o_proj.weight"].T
            h = self.norm(x, at + "post_attention_layernorm")
            gate = h @ w[at + "mlp.gate_proj.weight"].T
            x = x + (gate / (1 + np.exp(-gate)) * (h @ w[at + "mlp.up_proj.weight"].T)) @ w[at + "mlp.down_proj.weight"].T
        return self.norm(x[-1], "model.norm") @ w.get("lm_head.weight", w["model.embed_tokens.weight"]).T

    def probabilities(self, ids, temperature, top_k, top_p, temperature_last=False):
        """Hugging Face's order: temperature, then the top_k, then the fewest of these that hold top_p."""
        logits = self.logits(ids) / (1 if temperature_last else temperature)
        if top_k:
            logits[logits < np.sort(logits)[-top_k]] = -np.inf
        order = np.argsort(-logits)
        p = softmax(logits[order])
        logits[order[np.cumsum(p) - p >= top_p]] = -np.inf
        return softmax(logits / (temperature if temperature_last else 1))


def softmax(logits):
    p = np.exp(logits - logits.max())
    return p / p.sum()
