"""What the machine does to Slipway: a full disk, a taken port, no runtime, no root, signals."""
import ctypes
import json
import os
import re
import shutil
import signal
import socket
import subprocess

import harness
from harness import ENV, PROGRAM, Failed, House, Slot, check, folder, need, need_root, one_error, phase, run, skip, slipway, until, write


def up(data, *extra, env=None, prefix=(), timeout=20):
    slot = Slot()
    try:
        return run(*prefix, PROGRAM, "up", "--data", data, "--listen", "127.0.0.1:0", "--gateway", "0", *slot.arguments, *extra, env=env, timeout=timeout)
    finally:
        if os.path.isdir(data):
            slipway("down", "--data", data, *slot.arguments)
        slot.file.close()


def test_second_up(house):
    one_error(up(house.data), 4, house.data, "another slipway runs on this data directory", "hint:", "--data DIR")
    check(house.http("GET", "/healthz")[0] == 200, "the first goes on")


def test_port_in_use(house):
    one_error(up(folder() + "/d", "--listen", f"127.0.0.1:{house.port}"), 4, f"127.0.0.1:{house.port}", "in use", "--listen")
    one_error(up(folder() + "/d", "--gateway", str(house.gateway_port)), 4, f":{house.gateway_port}", "in use")


def test_network_in_use(house):
    """A second Slipway with a data directory of its own, but with the first one's bridge or addresses."""
    need_root()
    own = house.slot.arguments
    one_error(run(PROGRAM, "up", "--data", folder() + "/d", "--listen", "127.0.0.1:0", "--gateway", "0", *own), 4, own[1], "another slipway on this host uses this bridge", "--pod-cidr")
    one_error(up(folder() + "/d", *own[2:]), 4, own[3], own[1], "choose another range")


def test_wrong_settings():
    data = folder() + "/d"
    for words in (["--listen", "abc"], ["--listen", "127.0.0.1:99999"], ["--pod-cidr", "ten"], ["--service-cidr", "10.96.0.0/99"], ["--bridge", "much-too-long-for-linux"], ["--gateway", "x"]):
        one_error(up(data, *words), 2, words[1])
    one_error(up("/proc/nosuch"), 4, "/proc/nosuch")
    file = write(folder(), "file", "")
    one_error(up(file), 4, file)


def test_no_runtime():
    need_root()
    path = folder()
    for tool in ("git", "nft"):
        if shutil.which(tool):
            os.symlink(shutil.which(tool), os.path.join(path, tool))
    one_error(up(folder() + "/d", env={**ENV, "PATH": path, "SLIPWAY_RUNTIME": "runc"}), 4, "runc: not on PATH", "apt-get install")
    one_error(up(folder() + "/d", env={**ENV, "SLIPWAY_RUNTIME": "docker"}), 2, "SLIPWAY_RUNTIME=docker", "native, crun or runc")


def libc(call, *arguments):
    if ctypes.CDLL(None, use_errno=True)[call](*arguments) != 0:
        raise OSError(ctypes.get_errno(), call)


def test_full_disk():
    """A small tmpfs as data directory: too small to start, and filled up while it runs."""
    need_root()
    place = folder()
    if run("mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", place).returncode != 0:
        skip("tmpfs cannot be mounted here")
    try:
        told = up(place + "/d")
        full = "No space left on device" if "No space left" in told.all else "disk is full"  # the system's words, or the database's
        one_error(told, 4, full, place)
        check(run("mount", "-o", "remount,size=40m", place).returncode == 0, "remount")
        house = House(data=place + "/d")
        with house:
            shop = house.git("shop")
            shop.write("a", "1\n")
            kept = shop.commit("Kept")
            shop.push("HEAD:main")
            house.kubectl("create", "configmap", "kept", "--from-literal=a=1")
            filler = os.open(place + "/filler", os.O_WRONLY | os.O_CREAT)
            try:
                while os.write(filler, b"x" * 4096):
                    pass
            except OSError:
                pass
            os.close(filler)
            accepted, refused = [], 0
            for number in range(40):
                result = house.kubectl("create", "configmap", f"late-{number}", "--from-literal=a=" + "x" * 20000, check_it=False)
                if result.returncode == 0:
                    accepted.append(f"late-{number}")
                else:
                    check("No space left" in result.all or "disk" in result.all or "full" in result.all, result.all)
                    refused += 1
                    break
            check(refused, "a write to a full disk is refused")
            with open(shop.folder + "/big", "wb") as file:
                file.write(os.urandom(1 << 20))
            late = shop.commit("Late")
            pushed = shop.push("HEAD:refs/heads/late", check=False)
            check(pushed.returncode != 0, "a push to a full disk is refused: " + pushed.stderr)
            check(house.http("GET", "/healthz")[0] == 200 and house.process.poll() is None, "it goes on")
            os.remove(place + "/filler")
            names = house.kubectl("get", "configmap", "-o", "name").stdout
            for name in ["kept", *accepted]:
                check(f"configmap/{name}\n" in names, f"{name} is lost")
            until(lambda: house.kubectl("create", "configmap", "after", "--from-literal=a=1", check_it=False).returncode == 0, "writing goes on once there is room", 5)
            shop.push("HEAD:refs/heads/late")
            house.wait("Change", lambda cs: next((c for c in cs if c["spec"]["after"] == late), None), "the Change of the late push")
            house.kill()
            house.start()
            names = house.kubectl("get", "configmap", "-o", "name").stdout
            for name in ["kept", "after", *accepted]:
                check(f"configmap/{name}\n" in names, f"{name} is lost after a restart")
            refs = shop.git("ls-remote", "origin").stdout
            check(kept in refs and late in refs, refs)
    finally:
        run("umount", "-l", place)


def test_signals():
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        house = House()
        with house:
            house.process.send_signal(number)
            code = house.process.wait(15)
            check(code == (130 if number == signal.SIGINT else 0), f"{number}: exit {code}: {house.log_end()}")
            check("error" not in house.log_end(3).lower(), house.log_end())
            house.start()  # and starts again


def test_signal_while_starting():
    for _ in range(5):
        slot, data = Slot(), folder() + "/d"
        process = subprocess.Popen([PROGRAM, "up", "--data", data, "--listen", "127.0.0.1:0", "--gateway", "0", *slot.arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENV)
        until(lambda: os.path.exists(data), "the data directory")
        process.send_signal(signal.SIGTERM)
        out, error = process.communicate(timeout=15)
        check(process.returncode in (0, 130), f"exit {process.returncode}: {error}")
        slipway("down", "--data", data, *slot.arguments)
        slot.file.close()


WORKFLOW = "on: push\njobs:\n  slow:\n    runs-on: x\n    steps:\n      - run: |\n          trap '' TERM INT\n          echo started; sleep 20\n"


def test_second_interrupt():
    """A run that ignores the first Ctrl-C ends with the second, at once, and leaves no process."""
    root = folder()
    write(root, ".github/workflows/ci.yml", WORKFLOW.replace("sleep 20", "sleep 20.0625"))
    temporary = folder()
    process = subprocess.Popen([PROGRAM, "run", "-C", root], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env={**ENV, "TMPDIR": temporary}, start_new_session=True)
    for line in process.stdout:
        if b"| started" in line:
            break
    else:
        skip("jobs cannot run here: exit " + str(process.wait()))
    process.send_signal(signal.SIGINT)
    for line in process.stdout:
        if b"once more" in line:
            break
    check(process.poll() is None, f"ended at the first one: {process.returncode}")
    process.send_signal(signal.SIGINT)
    code = process.wait(10)
    check(code == 130, f"exit {code}")
    process.stdout.close()
    check(not os.listdir(temporary) and temporary not in open("/proc/mounts").read(), f"it leaves nothing: {os.listdir(temporary)}")
    until(lambda: run("pgrep", "-f", "sleep 20[.]0625").returncode != 0, "the step's process is gone")


def test_interrupt_is_130():
    house = House()
    with house:
        process = subprocess.Popen([PROGRAM, "status", "--watch", "--data", house.data], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENV)
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        error = process.communicate(timeout=10)[1]
        check(process.returncode == 130 and b"slipway: ending what runs" in error and error.count(b"slipway:") == 1, f"exit {process.returncode}: {error}")


# -- without root --------------------------------------------------------------------------------------------------------
def as_nobody(*argv, env=None):
    """The command as a plain user, who can reach the program."""
    need_root()
    need("setpriv", "unshare")
    home = folder()
    program = os.path.join(home, "slipway")
    shutil.copy(PROGRAM, program)
    data = os.path.join(home, "data")
    os.mkdir(data)
    for path in (home, data):
        os.chown(path, 65534, 65534)
    return home, program, ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--inh-caps=-all"]


class Rootless(House):
    def __init__(self):
        home, self.plain, self.prefix = as_nobody()
        if run(*self.prefix, "unshare", "-Ur", "true").returncode != 0:
            skip("user namespaces are not allowed here")
        os.environ["HOME"] = home
        super().__init__(data=os.path.join(home, "data"))
        launcher = os.path.join(home, "as-nobody")
        write(home, "as-nobody", "#!/bin/sh\nHOME=%s exec %s %s \"$@\"\n" % (home, " ".join(self.prefix), self.plain))
        os.chmod(launcher, 0o755)
        self.program = launcher


def test_rootless_up():
    """As a plain user: API, git, registry and CI work; what does not is said at the start."""
    with Rootless() as house:
        check(os.stat(house.data + "/cluster.db").st_uid == 65534, "it runs as nobody")
        check(len(house.ready["without"]) == 1 and "pod network" in house.ready["without"][0], house.ready)
        house.kubectl("create", "configmap", "a", "--from-literal=b=c")
        shop = house.git("shop")
        shop.write(".github/workflows/ci.yml", "on: push\njobs:\n  a:\n    runs-on: x\n    steps:\n      - uses: actions/checkout@v4\n      - run: test -f file && { touch /usr/bin/mine || true; } && touch /var/tmp/mine mine\n")
        shop.write("file", "x\n")
        commit = shop.commit("First")
        shop.push("HEAD:main")
        done = house.runs_of(commit)
        check(phase(done[0]) == "Succeeded", done[0]["status"])
        check(not os.path.exists("/usr/bin/mine") and not os.path.exists("/var/tmp/mine"), "a step writes to its own copy")
        house.push_busybox()
        check(house.http("GET", "/v2/base/busybox/tags/list")[0] == 200, "registry")
        house.kill()
        house.start()
        check("configmap/a" in house.kubectl("get", "configmap", "-o", "name").stdout, "kept")


def test_rootless_refused():
    """Where user namespaces are not allowed, it says exactly what is missing, and exits 4."""
    home, program, prefix = as_nobody()
    ready, go = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        try:
            libc("unshare", 0x10000000)  # CLONE_NEWUSER: only here is the limit ours to set
            os.write(ready[1], b"x")
            os.read(go[0], 1)
            with open("/proc/sys/user/max_user_namespaces", "w") as file:
                file.write("0")
            out = os.open(home + "/out", os.O_WRONLY | os.O_CREAT, 0o666)
            os.dup2(out, 1)
            os.dup2(out, 2)
            os.execvpe(prefix[0], [*prefix, program, "up", "--data", home + "/data", "--listen", "127.0.0.1:0", "--gateway", "0"], ENV)
        finally:
            os._exit(99)
    os.read(ready[0], 1)
    for name in ("uid_map", "gid_map"):
        with open(f"/proc/{child}/{name}", "w") as file:
            file.write("0 0 65536")
    os.write(go[1], b"x")
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    text = open(home + "/out").read() if os.path.exists(home + "/out") else ""
    if code == 99:
        skip("no user namespace with a limit of its own here")
    check(code == 4 and "user.max_user_namespaces is 0" in text and "sysctl -w user.max_user_namespaces" in text, f"exit {code}: {text}")


def test_rootless_without_runtime():
    home, program, prefix = as_nobody()
    result = run(
        "env", "PATH=" + home, "SLIPWAY_RUNTIME=runc", shutil.which("setpriv"), *prefix[1:], program, "up", "--data", home + "/data", "--listen", "127.0.0.1:0", "--gateway", "0")
    check(result.returncode == 4 and "slipway:" in result.stderr, f"exit {result.returncode}: {result.all}")


harness.main(globals())
