#!/usr/bin/env python3
"""Types what recipes/clusters.md tells a reader to type, under a Slurm of this machine alone, and looks at what came out.

    typed.py SOURCE BUILD SCRATCH [SECTION]

Each section of the page has a function here, named like it. Skips with a reason (status 77) where something is missing.
"""
import json
import os
import pathlib
import re
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
    expect(all("stages ran" in log or "report" in log for log in logs), f"a job says nothing of its end:\n{logs[0]}")
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


def a_run_on_several_ranks(page, cluster):
    page.type_in(page.commands["A run on several ranks"][0], cluster.environment)
    record = json.loads((page.folder / "runs-ranks/smoke/run.json").read_text())
    expect(record["status"] == "finished", f"the run is {record['status']}")
    expect(record["ranks"]["world"] == 2 and record["ranks"]["launcher"] == "srun", f"its ranks are {record['ranks']}")
    stage = json.loads((page.folder / "runs-ranks/smoke/sft/artifact.json").read_text())
    expect(stage["summary"]["ranks"] == 2, "sft did not run on both")


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
