#!/usr/bin/env python3
"""Types what recipes/clusters.md tells a reader to type, under a Slurm of this machine alone, and looks at what came out.

    typed.py SOURCE BUILD SCRATCH [SECTION]

Each section of the page has a function here, named like it. Skips with a reason (status 77) where something is missing.
"""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "docs")]

import commands as docs  # noqa: E402  of tests/docs
import slurm  # noqa: E402

PAGE = "recipes/clusters.md"
SECONDS = 300


def skip(reason):
    print(f"skipped: {reason}")
    sys.exit(77)


class Page:
    """The page's blocks by section, in a folder that looks like a checkout."""

    def __init__(self, source, build, folder):
        self.folder = folder
        docs.checkout(source, build, folder)
        heads = [(number, line[3:]) for number, line in enumerate((source / PAGE).read_text().splitlines(), 1)
                 if line.startswith("## ")]
        self.commands, self.files = {head: [] for _, head in heads}, {}
        for start, language, target, lines in docs.blocks_of(source / PAGE, PAGE):
            if language == "sh":
                section = [head for number, head in heads if number < start][-1]
                self.commands[section] += [command for _, command in docs.commands_in(lines, start)]
            else:
                self.files[target] = "\n".join(lines) + "\n"
        for name, text in self.files.items():
            (folder / name).write_text(text)

    def type_in(self, command, environment=None):
        done = subprocess.run(["bash", "-euc", command], cwd=self.folder, env=environment, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=SECONDS)
        print(f"$ {command}\n{done.stdout}")
        if done.returncode != 0:
            logs = "".join(f"\n== {file.name}\n{file.read_text()}" for file in sorted(self.folder.glob("*-*.txt")))
            sys.exit(f"{PAGE}: `{command}` ended with status {done.returncode}{logs}")
        return done.stdout

    def arms(self, runs):
        """Each arm of the sweep with what it ended with."""
        record = json.loads((self.folder / runs / "four" / "sweep.json").read_text())
        return [(arm["arm"], arm["status"]) for arm in record["arms"]]

    def made(self, runs):
        """The stages that the arms made, each by its key: one that was made twice stands here twice."""
        found = []
        for file in sorted((self.folder / runs / "four").glob("*/run.json")):
            found += [stage["key"] for stage in json.loads(file.read_text())["stages"] if stage["status"] == "done"]
        return found


def expect(condition, what):
    if not condition:
        sys.exit(f"{PAGE}: {what}")


def check_made_once(page, runs):
    wanted = json.loads(subprocess.run(["build/release/bin/plumb", "plan", "four.yaml", "--runs", "nowhere", "--json"],
                                       cwd=page.folder, capture_output=True, check=True).stdout)
    keys = {key for arm in wanted["arms"] for key in arm["keys"].values()}
    made = page.made(runs)
    expect(len(keys) == wanted["different"] > 20, "the plan has too few stages")
    expect(sorted(made) == sorted(keys), f"{len(keys)} artifacts were to be made once each; made were {len(made)}, "
           f"of which {len(set(made))} are different")


def check_arms(page, runs):
    expect([status for _, status in page.arms(runs)] == ["done"] * 4, f"not all arms are done: {page.arms(runs)}")


def a_slurm_array(page, cluster):
    submit, sweep = page.commands["A Slurm array"]
    page.type_in(submit, cluster.environment)
    logs = [(page.folder / f"four-{task}.txt").read_text() for task in range(4)]
    expect(all("stages ran" in log or "report" in log for log in logs), "a job says nothing of its end:\n" + "".join(logs))
    waited = re.findall(r"another process is making it; waiting for process \d+ on \S+, which began at \S+Z", "".join(logs))
    expect(waited, "no job waited for another, so nothing is seen of what they share:\n" + "".join(logs))
    check_made_once(page, "runs")
    said = page.type_in(sweep, cluster.environment)
    expect("4 of 4 arms done" in said, "the sweep did not find the arms that the jobs had made")
    expect(" 0 to run" in said, "the sweep made something again")
    check_arms(page, "runs")
    check_stopping(page, cluster)


def check_stopping(page, cluster):
    """The array's first job alone, in a folder of runs of its own, stopped as the page says and submitted again."""
    script = page.files["array.sh"].replace("--array=0-3", "--array=0").replace("--arm", "--runs runs-stopped --arm")
    (page.folder / "stopped.sh").write_text(script)
    record = page.folder / "runs-stopped/four/eta=0.55/run.json"
    submitted = page.type_in("sbatch --parsable stopped.sh", cluster.environment).strip()
    cluster.wait_for(lambda: record.exists() and '"done"' in record.read_text(), "the job's first stage")
    page.type_in(f"scancel --batch --signal=TERM {submitted}", cluster.environment)
    cluster.wait_for(lambda: "ExitCode=75:0" in cluster.call("scontrol", "show", "job", submitted), "an end with status 75")
    expect(json.loads(record.read_text())["status"] == "stopped", "a run that was told to stop says something else")
    page.type_in("sbatch --wait stopped.sh", cluster.environment)
    expect(json.loads(record.read_text())["status"] == "finished", "the second job did not finish the run")


def a_sweep_through_srun(page, cluster):
    before = (cluster.folder / "slurmctld.log").read_text().count("sched: _slurm_rpc_allocate_resources")
    said = page.type_in(page.commands["A sweep through srun"][0], cluster.environment)
    expect("4 of 4 arms done" in said, "not all arms are done")
    after = (cluster.folder / "slurmctld.log").read_text().count("sched: _slurm_rpc_allocate_resources")
    expect(after - before == 4, f"Slurm saw {after - before} allocations, one for each of four arms were wanted")
    check_made_once(page, "runs-srun")
    check_arms(page, "runs-srun")


SHARED = {"backbone", "sft", "reward", "responses", "rewards", "aligned"}  # stages in which ranks work together


def files_of(page, runs):
    """Each stage of the smoke recipe with the hashes of its files; answers of an evaluation are equal but for rounding."""
    found = {}
    for stage in [*SHARED, "pairs"]:
        manifest = json.loads((page.folder / runs / "smoke" / stage / "artifact.json").read_text())
        found[stage] = {file["name"]: file["sha256"] for file in manifest["files"]}
        if stage in SHARED and runs != "runs-alone":
            expect(manifest["summary"]["ranks"] == 2, f"{runs}: {stage} did not run on both ranks")
    return found


def a_run_on_several_ranks(page, cluster):
    venv = os.environ.get("PLUMB_PARITY_VENV", HERE.parents[1] / "build" / "parity-venv")  # where torch may be, and torchrun
    path = f"{cluster.environment['PATH']}:{venv}/bin"
    # torchrun gives each rank one thread; mpirun wants to be told that it may start as root, and more than it counts.
    environment = dict(cluster.environment, PATH=path, OMP_NUM_THREADS="1", OMPI_ALLOW_RUN_AS_ROOT="1",
                       OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1", OMPI_MCA_rmaps_base_oversubscribe="1")
    page.type_in("build/release/bin/plumb run recipes/lab/smoke.yaml --runs runs-alone --set stages.sft.micro_batch_size=8",
                 environment)
    alone, typed = files_of(page, "runs-alone"), 0
    *launched, sweep = page.commands["A run on several ranks"]
    for command in launched:
        launcher, runs = command.split()[0], re.search(r"--runs (\S+)", command)[1]
        if shutil.which(launcher, path=environment["PATH"]) is None:
            print(f"skipped: there is no {launcher} in PATH: {command}")
            continue
        page.type_in(command, environment)
        typed += 1
        record = json.loads((page.folder / runs / "smoke/run.json").read_text())
        expect(record["status"] == "finished", f"{runs}: the run is {record['status']}")
        expect(record["ranks"]["world"] == 2 and record["ranks"]["launcher"] == launcher, f"its ranks are {record['ranks']}")
        expect(files_of(page, runs) == alone, f"{runs}: other bytes than of one process: {files_of(page, runs)}\n{alone}")
    expect(typed > 0, "no launcher was there")
    if shutil.which("mpirun", path=environment["PATH"]) is None:
        print(f"skipped: there is no mpirun in PATH: {sweep}")
        return
    page.type_in(sweep, environment)
    check_arms(page, "runs-arms")
    record = json.loads((page.folder / "runs-arms/four/eta=0.7/run.json").read_text())
    expect(record["ranks"]["world"] == 2, "an arm did not run on two ranks")


def kubernetes(page, cluster):
    job = docs.yaml.safe_load(page.files["job.yaml"])
    container = job["spec"]["template"]["spec"]["containers"][0]
    environment = dict(os.environ, JOB_COMPLETION_INDEX="3", PATH=f"{page.folder}/build/release/bin:{os.environ['PATH']}")
    done = subprocess.run([*container["command"], *container["args"]], cwd=page.folder, env=environment,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SECONDS)
    expect(done.returncode == 0, f"the command of {job['metadata']['name']} ended with {done.returncode}: {done.stderr}")
    expect("0.7" in done.stdout + done.stderr, f"it ran another arm than the last: {done.stdout}{done.stderr}")


SECTIONS = {"A Slurm array": a_slurm_array, "A sweep through srun": a_sweep_through_srun,
            "A run on several ranks": a_run_on_several_ranks, "Kubernetes": kubernetes}


def main():
    source, build, scratch = (pathlib.Path(argument).resolve() for argument in sys.argv[1:4])
    if docs.yaml is None:
        skip("Debian's python3-yaml is needed")
    if os.geteuid() != 0:
        skip("slurmctld and slurmd start as root only")
    if slurm.missing():
        skip(f"not installed: {', '.join(sorted(set(slurm.missing())))}")
    page = Page(source, build, scratch / "work")
    unknown = set(page.commands) ^ set(SECTIONS)
    expect(not unknown, f"a section without a test, or a test without its section: {unknown}")
    with slurm.Slurm(scratch / "slurm") as cluster:
        for section, check in SECTIONS.items():
            if len(sys.argv) < 5 or sys.argv[4] == section:
                check(page, cluster)
                print(f"== {section}: holds")


if __name__ == "__main__":
    main()
