#!/usr/bin/env python3
"""Samples stories260K with the generator `remote` on llama.cpp's own server, and holds the answers to what they must be.

    check.py [greedy|distribution|killed|restarted|stale]...

`run` beside this file makes the environment. Made files lie in a folder of their own that goes with the process.
"""
import json
import math
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import time

import numpy as np
import yaml

from llama_folder import Llama, write_gguf

HERE = pathlib.Path(__file__).resolve().parent
PLUMB = pathlib.Path(os.environ["PLUMB_BUILD"]) / "bin" / "plumb"
FOLDER = (pathlib.Path(os.environ["PLUMB_SHARED"]) / "data" / "stories260K-hf").resolve()
OPENINGS = ["Once upon a time", "Lily", "Tim had a big dog", "The sun", "One day", "She said", "They saw a bird", "Mom"]
ENDINGS = ["", " and", " was happy.", " went to the park", " wanted to play", " had a little friend", ". He", " saw"]


class Server:
    def __init__(self, scratch, shift=0.0, port=None):
        self.model = scratch / f"model-{shift}.gguf"
        if not self.model.exists():
            write_gguf(FOLDER, self.model, shift)
        if port is None:
            with socket.create_server(("127.0.0.1", 0)) as free:
                port = free.getsockname()[1]
        self.port, self.log = port, (scratch / "server.log").open("a")
        self.process = subprocess.Popen([sys.executable, HERE / "server.py", self.model, str(port)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, text=True)
        for line in self.process.stdout:
            if line.startswith("listening"):
                return
        raise RuntimeError(f"llama.cpp's server did not start; it said:\n{(scratch / 'server.log').read_text()[-2000:]}")

    def kill(self):
        self.process.kill()
        self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()


class Plumb:
    """Recipes of one sample stage in a scratch folder of their own."""

    def __init__(self, scratch):
        self.scratch = scratch
        rows = [{"id": f"p{i}-{j}", "prompt": opening + ending}
                for i, opening in enumerate(OPENINGS) for j, ending in enumerate(ENDINGS)]
        (scratch / "prompts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    def start(self, name, generator, prompts, **sampling):
        recipe = {"name": name, "seed": 7,
                  "datasets": {"asked": {"source": {"name": "jsonl", "path": "prompts.jsonl", "records": "prompts"},
                                         "limit": prompts}},
                  "models": {"stories": {"path": str(FOLDER), "chat_format": "plain"}},
                  "stages": {"sampled": {"stage": "sample", "model": "stories", "prompts": "asked",
                                         "generator": generator, **sampling}}}
        (self.scratch / f"{name}.yaml").write_text(yaml.safe_dump(recipe, sort_keys=False))
        return subprocess.Popen([PLUMB, "run", f"{name}.yaml", "--runs", "runs"], cwd=self.scratch, text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def run(self, name, generator, prompts, **sampling):
        process = self.start(name, generator, prompts, **sampling)
        said = process.communicate(timeout=300)[0]
        assert process.returncode == 0, f"{name}: rc {process.returncode}: {said[-2000:]}"
        return self.rows(name), said

    def rows(self, name):
        lines = (self.scratch / "runs" / name / "sampled" / "responses.jsonl").read_text().splitlines()
        return [json.loads(line) for line in lines]

    def summary(self, name):
        return json.loads((self.scratch / "runs" / name / "sampled" / "artifact.json").read_text())["summary"]


def remote(server, **more):
    return {"name": "remote", "url": f"http://127.0.0.1:{server.port}", "dialect": "llama.cpp", "concurrency": 4,
            "attempts": 3, "first_wait": 0.1, **more}


def greedy(scratch):
    plumb = Plumb(scratch)
    how = {"prompts": 64, "k": 1, "temperature": 0, "max_new_tokens": 40}
    local, _ = plumb.run("local", "local", **how)
    with Server(scratch) as server:
        served, _ = plumb.run("served", remote(server), **how)
    assert len(local) == len(served) == 64
    different = [a["prompt_id"] for a, b in zip(local, served) if a != b]
    assert not different, f"greedy answers differ for {different}"
    summary = plumb.summary("served")
    assert summary["engine"].startswith("llama.cpp b"), summary
    assert summary["bit_reproducible"] is False, summary
    assert "engine" not in plumb.summary("local")
    tokens = sum(len(r["ids"]) for row in served for r in row["responses"])
    return f"64 prompts, {tokens} tokens: ids, texts and ends are those of `local`; the manifest says {summary['engine']}"


def chi_square(counts, expected):
    """(statistic, degrees of freedom, normal deviate by Wilson and Hilferty); what is expected below 5 times is one bin."""
    rare = expected < 5
    counts = np.append(counts[~rare], counts[rare].sum())
    expected = np.append(expected[~rare], expected[rare].sum())
    counts, expected = counts[expected > 0], expected[expected > 0]
    statistic, freedom = float(((counts - expected) ** 2 / expected).sum()), len(counts) - 1
    return statistic, freedom, ((statistic / freedom) ** (1 / 3) - 1 + 2 / (9 * freedom)) / math.sqrt(2 / (9 * freedom))


def distribution(scratch):
    plumb, llama, said = Plumb(scratch), Llama(FOLDER), []
    with Server(scratch) as server:
        for number, (temperature, top_k, top_p) in enumerate([(1.0, 0, 1.0), (1.0, 20, 0.9), (1.5, 0, 0.8)]):
            rows, _ = plumb.run(f"drawn-{number}", remote(server), prompts=1, k=2000, max_new_tokens=1,
                                temperature=temperature, top_k=top_k, top_p=top_p)
            drawn = [r["ids"][0] for r in rows[0]["responses"]]
            p = llama.probabilities(rows[0]["prompt_ids"], temperature, top_k, top_p)
            counts = np.bincount(drawn, minlength=len(p)).astype(float)
            assert len(drawn) == 2000 and counts[p == 0].sum() == 0, "a token was drawn that the filter leaves out"
            statistic, freedom, deviate = chi_square(counts, 2000 * p)
            said.append(f"{temperature}/{top_k}/{top_p}: chi-square {statistic:.1f} with {freedom}")
            assert deviate < 3.7, said[-1]  # p = 1e-4
        other = llama.probabilities(rows[0]["prompt_ids"], temperature, top_k, top_p, temperature_last=True)
        wrong = chi_square(counts, np.maximum(2000 * other, 1e-9))[2]
        assert wrong > 8, "the draws would also pass for those of llama.cpp's own order of filters"
    return "temperature/top_k/top_p " + "; ".join(said)


def arrived(scratch):
    """Prompts whose answers are on the disk while the stage is not done."""
    return [json.loads(line) for file in scratch.glob("runs/.artifacts/*/**/arrived.jsonl")
            for line in file.read_text().splitlines() if line.endswith("}")]


def wait_for_arrivals(scratch, running, count):
    until = time.monotonic() + 120
    while len(arrived(scratch)) < count and running.poll() is None and time.monotonic() < until:
        time.sleep(0.02)


def killed(scratch):
    plumb = Plumb(scratch)
    how = {"prompts": 64, "k": 4, "max_new_tokens": 150}
    with Server(scratch) as server:
        running = plumb.start("killed", remote(server), **how)
        wait_for_arrivals(scratch, running, 5)
        port = server.port
    said = running.communicate(timeout=120)[0]
    assert running.returncode == 1, f"rc {running.returncode}: {said[-2000:]}"
    assert "start it again and run the same command" in said, said[-2000:]
    kept = arrived(scratch)
    assert 5 <= len(kept) < 64, f"{len(kept)} prompts were kept"
    with Server(scratch, port=port) as server:
        rows, said = plumb.run("killed", remote(server), **how)
    assert f"{len(kept)} prompts that were answered before are kept" in said, said[-2000:]
    by_id = {row["prompt_id"]: row for row in rows}
    assert len(by_id) == 64 and all(len(row["responses"]) == 4 for row in rows)
    lost = [row["prompt_id"] for row in kept if by_id[row["prompt_id"]]["responses"] != row["responses"]]
    assert not lost, f"answers of {lost} were asked for again"
    sent = 1 + 1 + 4 * (64 - len(kept))  # version, probe, and what was missing
    assert f"{4 * (64 - len(kept))} answers by {sent} requests" in said, said[-2000:]
    return f"killed after {len(kept)} prompts of 64; the rest alone was asked for"


def restarted(scratch):
    """Within the time of the attempts: with the same model the run goes on, with another one it ends."""
    plumb = Plumb(scratch)
    for shift, tokens in ((0.0, 150), (0.3, 149)):  # of another length: not from the cache
        name = f"restarted-{shift}".replace(".", "-")
        with Server(scratch) as server:
            running = plumb.start(name, remote(server, attempts=8), prompts=16, k=4, max_new_tokens=tokens)
            wait_for_arrivals(scratch, running, 3)
            port = server.port
        with Server(scratch, shift=shift, port=port):
            said = running.communicate(timeout=120)[0]
        if shift == 0:
            assert running.returncode == 0, f"rc {running.returncode}: {said[-2000:]}"
            rows = plumb.rows(name)
            assert len(rows) == 16 and all(len(row["responses"]) == 4 for row in rows)
        else:
            assert running.returncode == 1 and "does not serve" in said, f"rc {running.returncode}: {said[-2000:]}"
    return "another server took over in the middle: with the same model the run went on, with another it ended"


def stale(scratch):
    plumb = Plumb(scratch)
    how = {"prompts": 4, "k": 2, "max_new_tokens": 20}
    with Server(scratch, shift=0.3) as server:
        running = plumb.start("stale", remote(server), **how)
        said = running.communicate(timeout=120)[0]
    assert running.returncode == 1 and "does not serve" in said, f"rc {running.returncode}: {said[-2000:]}"
    return "another model behind the address ends the run before anything is sampled"


def main(names):
    tests = {test.__name__: test for test in (greedy, distribution, killed, restarted, stale)}
    failed = False
    for name in names or tests:
        with tempfile.TemporaryDirectory(prefix="plumb-serving-") as folder:
            start = time.monotonic()
            try:
                print(f"{name}: {tests[name](pathlib.Path(folder))} ({time.monotonic() - start:.0f} s)", flush=True)
            except (AssertionError, RuntimeError, subprocess.TimeoutExpired) as wrong:
                failed = True
                print(f"{name} FAILED: {wrong}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
