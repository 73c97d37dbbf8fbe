"""This machine: what is installed, free ports, the CPU and the memory of processes."""
import os, re, shutil, socket, subprocess, sys, time
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
        build("keyward", "hello")
    return ROOT / "target/release/keyward"


def build(*packages):
    """Release programs, which land in target/release."""
    chosen = [it for name in packages for it in ("--package", name)]
    subprocess.run(["cargo", "build", "--release", "--locked", *chosen], check=True, cwd=ROOT)


def hello():
    """The program that does nothing (benches/hello)."""
    path = ROOT / "target/release/hello"
    if not path.exists():
        build("hello")
    return path


def offer_program(parser):
    parser.add_argument("--program", type=Path, help="a program that is built already")
    parser.add_argument("--no-build", action="store_true", help="target/release/keyward as it is")
    parser.add_argument("--postgres", action="store_true", help="on a Postgres of its own instead of SQLite")


def cpu(pid):
    """Seconds of CPU of a process, all of its threads: of its clock (clock_getcpuclockid), because the ticks of
    /proc are too coarse for what takes a millisecond."""
    try:
        return time.clock_gettime((~pid << 3) | 2)
    except OSError:  # it has ended
        return 0.0


def cpu_of_family(pid):
    """The same with its children, also those that have ended."""
    total = cpu(pid)
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            fields = (folder / "stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            total += cpu(int(folder.name))
        elif int(folder.name) == pid:
            total += (int(fields[13]) + int(fields[14])) / TICKS
    return total


def resident(pid, field="VmRSS"):
    """MiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(rf"{field}:\s+(\d+)", status)[1]) / 1024
