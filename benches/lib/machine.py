"""This machine: what is installed, free ports, the CPU and the memory of processes."""
import os, re, shutil, socket, subprocess, sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TICKS = os.sysconf("SC_CLK_TCK")
QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


def say(*words):
    """What is being done, beside the table on standard output."""
    print(*words, file=sys.stderr, flush=True)


def need(program, package):
    """Installs a Debian package if its program is missing."""
    if shutil.which(program):
        return
    say(f"installing {package}")
    quiet = {"stdout": subprocess.DEVNULL}
    subprocess.run(["apt-get", "update"], check=True, **quiet)
    subprocess.run(["apt-get", "install", "-y", "--no-install-recommends", package], check=True, **quiet)


def free_port():
    with socket.socket() as it:
        it.bind(("127.0.0.1", 0))
        return it.getsockname()[1]


def program(options):
    """The release program: the one that is named, or built now."""
    if options.program:
        return options.program.resolve()
    if not options.no_build:
        subprocess.run(["cargo", "build", "--release", "--locked"], check=True, cwd=ROOT)
    return ROOT / "target/release/keyward"


def offer_program(parser):
    parser.add_argument("--program", type=Path, help="a program that is built already")
    parser.add_argument("--no-build", action="store_true", help="target/release/keyward as it is")
    parser.add_argument("--postgres", action="store_true", help="on a Postgres of its own instead of SQLite")


def _stat(pid):
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:  # it has ended
        return None
    return [int(it) for it in fields[1:15]]  # from the parent's pid to the CPU of ended children


def cpu(pid):
    """Seconds of CPU of a process."""
    it = _stat(pid)
    return (it[10] + it[11]) / TICKS if it else 0.0


def cpu_of_family(pid):
    """The same with its children, also those that have ended."""
    own = _stat(pid)
    if not own:
        return 0.0
    total = sum(own[10:14])
    for folder in Path("/proc").iterdir():
        child = _stat(folder.name) if folder.name.isdigit() else None
        if child and child[0] == pid:
            total += child[10] + child[11]
    return total / TICKS


def resident(pid, field="VmRSS"):
    """MiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(rf"{field}:\s+(\d+)", status)[1]) / 1024
