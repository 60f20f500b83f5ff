"""Runs the command for the tables of this folder, and reads what it left behind so that a table can speak of it."""
import hashlib
import json
import os
import pathlib
import struct
import subprocess

import yaml

SECONDS = 240


class Vanished(Exception):
    """What was promised of a parameter or an option is not to be seen."""


class Plumb:
    """The command in a scratch folder: recipes lie in it, runs in runs/, what users have in their caches in cache/."""

    def __init__(self, program, scratch):
        self.program, self.scratch = str(pathlib.Path(program).resolve()), pathlib.Path(scratch)
        self.environment = {**os.environ, "PLUMB_PLUGIN_PATH": "", "XDG_CACHE_HOME": str(self.scratch / "cache"),
                            "PLUMB_TEST_KEY": "a-key-of-the-tests"}

    def call(self, words, stdin=""):
        return subprocess.run([self.program, *words], cwd=self.scratch, input=stdin, capture_output=True, text=True,
                              env=self.environment, timeout=SECONDS)

    def below(self, pid):
        """What the command lines of all processes below one say."""
        found = ""
        for listed in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
            try:
                for child in listed.read_text().split():
                    found += pathlib.Path(f"/proc/{child}/cmdline").read_text(errors="replace") + self.below(child)
            except OSError:
                pass  # it is gone
        return found

    def start(self, words):
        return subprocess.Popen([self.program, *words], cwd=self.scratch, stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL, env=self.environment)


def as_option(path, value):
    text = yaml.safe_dump(value, default_flow_style=True, width=10**9, allow_unicode=True)
    return f"{path}={text.removesuffix(chr(10)).removesuffix(chr(10) + '...')}"


def run_words(recipe, settings, until, name, runs="runs", plugins=()):
    words = ["run", f"{recipe}.yaml", "--runs", str(runs), "--set", f"name={name}"]
    for plugin in plugins:
        words += ["--plugin", str(plugin)]
    for path, value in settings.items():
        words += ["--set", as_option(path, value)]
    return words + (["--until", until] if until else [])


class Made:
    """A finished run, seen from one of its stages."""

    def __init__(self, plumb, name, stage, done, asked, seconds):
        self.code, self.said, self.asked, self.seconds = done.returncode, done.stdout + done.stderr, asked, seconds
        self.run = plumb.scratch / "runs" / name
        self.folder = (self.run / stage).resolve()

    def content(self):
        """Hashes of the files, without the manifest and what holds times."""
        return {str(f.relative_to(self.folder)): hashlib.sha256(f.read_bytes()).hexdigest()
                for f in sorted(self.folder.rglob("*"))
                if f.is_file() and f.name != "artifact.json" and "tfevents" not in f.name}

    @property
    def manifest(self):
        return json.loads((self.folder / "artifact.json").read_text())

    @property
    def summary(self):
        return self.manifest["summary"]

    def text(self, file):
        return (self.folder / file).read_text()

    def json(self, file):
        return json.loads(self.text(file))

    def rows(self, file=None):
        files = [self.folder / file] if file else [f for f in sorted(self.folder.glob("*.jsonl")) if f.stem == self.manifest["type"]]
        return [json.loads(line) for line in files[0].read_text().splitlines()]

    @property
    def ids(self):
        """Of every response its token ids."""
        return [response["ids"] for row in self.rows("responses.jsonl") for response in row["responses"]]

    @property
    def rewards(self):
        return [response["reward"] for row in self.rows("responses.jsonl") for response in row["responses"]]

    @property
    def answers(self):
        return [row["answer"] for row in self.rows("answers.jsonl")]

    @property
    def steps(self):
        return self.rows("metrics.jsonl")

    def series(self, key):
        return [row[key] for row in self.steps if key in row]

    def weights(self, file="model.safetensors"):
        """Every tensor by its name, as a list of numbers."""
        data = (self.folder / file).read_bytes()
        size = struct.unpack("<Q", data[:8])[0]
        out = {}
        for name, at in json.loads(data[8:8 + size]).items():
            if name == "__metadata__":
                continue
            part = data[8 + size + at["data_offsets"][0]:8 + size + at["data_offsets"][1]]
            if at["dtype"] == "BF16":
                part = b"".join(b"\0\0" + part[i:i + 2] for i in range(0, len(part), 2))
            out[name] = list(struct.unpack(f"<{len(part) // 4}f", part))
        return out

    def types(self, file="model.safetensors"):
        data = (self.folder / file).read_bytes()
        header = json.loads(data[8:8 + struct.unpack("<Q", data[:8])[0]])
        return {at["dtype"] for name, at in header.items() if name != "__metadata__"}

    def shape(self, name, file="model.safetensors"):
        data = (self.folder / file).read_bytes()
        return json.loads(data[8:8 + struct.unpack("<Q", data[:8])[0]])[name]["shape"]

    def lora_ranks(self):
        file = "adapter_model.safetensors"
        return {self.shape(name, file)[0] for name in self.weights(file) if "lora_A" in name}

    def norm(self, file="model.safetensors", of=""):
        return sum(x * x for name, tensor in self.weights(file).items() if of in name for x in tensor) ** 0.5

    def moved(self, other, file="model.safetensors"):
        """The distance between the weights of two models."""
        mine, theirs = self.weights(file), other.weights(file)
        return sum((x - y) ** 2 for name in mine for x, y in zip(mine[name], theirs[name])) ** 0.5
