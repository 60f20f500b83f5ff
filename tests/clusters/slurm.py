"""A Slurm of this machine alone: munged, slurmctld and slurmd on loopback, with nodes and GPUs that are only names.

    with Slurm(folder) as slurm:
        subprocess.run(["srun", "-n1", "hostname"], env=slurm.environment)

Needs root. Nothing of the machine's own Slurm, if it has one, is touched: ports, socket, key and state are the folder's.
"""
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time

DAEMONS = {"munged": "munge", "slurmctld": "slurmctld", "slurmd": "slurmd", "srun": "slurm-client"}

CONF = """\
ClusterName=plumbline
SlurmctldHost={host}(127.0.0.1)
AuthType=auth/munge
CryptoType=crypto/munge
AuthInfo=socket={folder}/munge.socket
SlurmUser=root
SlurmdUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
SlurmctldPort={controller_port}
SlurmdPort={daemon_port}
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
KillWait=30
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
GresTypes=gpu
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} Gres=gpu:2 State=UNKNOWN
PartitionName=all Nodes={host} Default=YES MaxTime=INFINITE State=UP OverSubscribe=FORCE:4
"""


def missing():
    """What is not installed here, as the names of Debian's packages."""
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    return [package for program, package in DAEMONS.items() if shutil.which(program, path=path) is None]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Slurm:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.host = socket.gethostname().split(".")[0]
        self.environment = dict(os.environ, SLURM_CONF=str(self.folder / "slurm.conf"),
                                PATH=os.environ["PATH"] + ":/usr/sbin:/sbin")
        self.daemons = []

    def __enter__(self):
        shutil.rmtree(self.folder, ignore_errors=True)
        for name in ("state", "spool"):
            (self.folder / name).mkdir(parents=True)
        self.folder.chmod(0o755)  # munged wants a folder for its socket that only its owner writes
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o400)
        (self.folder / "slurm.conf").write_text(CONF.format(
            folder=self.folder, host=self.host, cpus=os.cpu_count(), controller_port=free_port(), daemon_port=free_port()))
        (self.folder / "gres.conf").write_text("Name=gpu File=/dev/zero\nName=gpu File=/dev/full\n")
        try:
            self.start("munged", "--foreground", "--force", f"--key-file={key}", f"--socket={self.folder}/munge.socket",
                       f"--log-file={self.folder}/munged.log", f"--pid-file={self.folder}/munged.pid",
                       f"--seed-file={self.folder}/munged.seed")
            self.wait_for(lambda: (self.folder / "munge.socket").exists(), "munged")
            self.start("slurmctld", "-D", "-c")
            self.start("slurmd", "-D", "-N", self.host)
            self.wait_for(lambda: "idle" in self.call("sinfo", "-h", "-o", "%t"), "slurmctld and slurmd")
        except BaseException:
            self.__exit__()
            raise
        return self

    def start(self, program, *arguments):
        with open(self.folder / f"{program}.out", "wb") as out:
            self.daemons.append(subprocess.Popen([shutil.which(program, path=self.environment["PATH"]), *arguments],
                                                 env=self.environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out))

    def call(self, *command):
        return subprocess.run(command, env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=60).stdout

    def wait_for(self, is_there, what):
        for _ in range(150):
            if is_there():
                return
            time.sleep(0.2)
        logs = "".join(f"\n== {file.name}\n{file.read_text(errors='replace')[-2000:]}"
                       for file in [*self.folder.glob("*.out"), *self.folder.glob("*.log")])
        raise RuntimeError(f"{what} did not come within 30 s{logs}")

    def steps(self):
        """What slurmd started for this cluster's job steps and has not ended: each is a daemon of its own."""
        found = []
        for process in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                ours = f"SLURM_CONF={self.folder}/slurm.conf".encode() in (process / "environ").read_bytes().split(b"\0")
                if ours and (process / "cmdline").read_bytes().startswith(b"slurmstepd"):
                    found.append(int(process.name))
            except OSError:  # it has ended meanwhile
                continue
        return found

    def __exit__(self, *_):
        for _ in range(50):
            if not self.steps():
                break
            time.sleep(0.1)
        for step in self.steps():
            os.kill(step, signal.SIGKILL)
        for daemon in reversed(self.daemons):
            daemon.terminate()
            try:
                daemon.wait(5)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()
