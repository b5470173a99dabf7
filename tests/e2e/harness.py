"""What every end-to-end test needs: a Slipway of its own (data, ports, bridge, addresses), git, kubectl, checks.

A test file holds functions `test_...` and ends with `harness.main(globals())`. Called with the program as its argument.
A function takes no arguments, or one: a running House. Exit status 77: skipped, the reason is printed.
"""
import atexit
import fcntl
import inspect
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import urllib.error

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(HERE, "../../examples/demo"))
import bases  # noqa: E402,F401
from slipway import HOME, Git, Slipway, Timeout, basic, get_path  # noqa: E402,F401

PROGRAM = os.path.abspath(sys.argv[1]) if len(sys.argv) > 1 else "slipway"
# Without a terminal, colour, a home of somebody's or a proxy: the same everywhere.
ENV = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy") and not k.startswith(("SLIPWAY_", "GIT_", "KUBE"))}
ENV |= {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C.UTF-8"}


class Failed(Exception):
    pass


class Skipped(Exception):
    pass


def check(condition, what):
    if not condition:
        raise Failed(str(what)[:4000])


def skip(why):
    raise Skipped(why)


def need(*programs):
    for program in programs:
        if not shutil.which(program):
            skip(f"{program} is not installed")


def need_root():
    if os.geteuid() != 0:
        skip("needs root: pods want a network of their own")


def run(*argv, env=None, cwd=None, input=None, timeout=25):
    """Runs a program to its end; gives exit status and output."""
    result = subprocess.run([str(a) for a in argv], capture_output=True, text=True, env=env or ENV, cwd=cwd, input=input, timeout=timeout)
    result.all = result.stdout + result.stderr
    return result


def slipway(*argv, **more):
    return run(PROGRAM, *argv, **more)


def folder():
    path = tempfile.mkdtemp(prefix="slipway-e2e.")
    os.chmod(path, 0o755)
    atexit.register(shutil.rmtree, path, True)
    return path


ENV["SLIPWAY_DATA"] = os.path.join(folder(), "data")


def write(root, path, text):
    full = os.path.join(root, path)
    os.makedirs(os.path.dirname(full), exist_ok=True)
    with open(full, "w") as file:
        file.write(text)
    return full


def until(test, what, seconds=20):
    """Waits for something that sends no event: a file, a port, the end of a process."""
    deadline = time.monotonic() + seconds
    while not (found := test()):
        if time.monotonic() > deadline:
            raise Timeout(f"{what}: not within {seconds} s")
        time.sleep(0.01)
    return found


class Slot:
    """A bridge and ranges of addresses that no other test holds at this moment."""

    def __init__(self):
        for number in range(80):
            file = open(f"{tempfile.gettempdir()}/slipway-e2e-{os.geteuid()}.{number}", "w")
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                file.close()
                continue
            self.file, self.number = file, number
            high, low = divmod(number, 16)
            self.arguments = ["--bridge", f"slipe2e{number}", "--pod-cidr", f"10.{240 + high}.{16 * low}.0/20", "--service-cidr", f"10.{140 + high}.{16 * low}.0/20"]
            return
        raise Failed("80 tests at once?")


class House(Slipway):
    """A Slipway of this test alone. As a context manager it starts, and leaves nothing behind."""

    def __init__(self, data=None, program=None):
        self.root = folder()
        self.slot = Slot()
        self.stopped_with = None
        self.extra = []
        super().__init__(program or PROGRAM, data or os.path.join(self.root, "data"), os.path.join(self.root, "log"))

    def arguments(self):
        return ["up", "--data", self.data, "--listen", f"127.0.0.1:{self.port}", "--gateway", str(self.gateway_port), *self.slot.arguments, *self.extra]

    def start(self):
        self.process = subprocess.Popen([self.program, *self.arguments(), "--output", "json"], stdout=subprocess.PIPE, stderr=open(self.log, "ab"), start_new_session=True, env=ENV)
        text = ""
        for line in self.process.stdout:
            text += line.decode()
            if line.startswith(b"}"):
                break
        if not text.endswith("}\n"):
            raise Failed(f"slipway did not start: exit {self.process.wait(5)}\n{self.log_end()}")
        self.ready = json.loads(text)
        threading.Thread(target=self.process.stdout.read, daemon=True).start()
        self.read_address()
        return self

    def read_address(self):
        import ssl
        self.url = self.ready["url"]
        self.port = int(self.url.rsplit(":", 1)[1])
        self.gateway_port = int(self.ready["gateway"].rsplit(":", 1)[1])
        self.token = open(os.path.join(self.data, "token")).read().strip()
        self.kubeconfig = self.ready["kubeconfig"]
        self.tls = ssl.create_default_context(cafile=os.path.join(self.data, "pki", "ca.crt"))

    def log_end(self, lines=30):
        with open(self.log, errors="replace") as file:
            return "".join(file.readlines()[-lines:])

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, *_):
        if kind and kind is not Skipped:
            print("the end of slipway's log:\n" + self.log_end(), file=sys.stderr)
        self.close()

    def close(self):
        self.stop()
        if os.path.isdir(self.data):
            slipway("down", "--data", self.data, *self.slot.arguments)
        shutil.rmtree(self.root, ignore_errors=True)
        self.slot.file.close()

    # -- people's tools -----------------------------------------------------------------------------------------
    def cli(self, *argv, **more):
        return slipway(*argv, "--data", self.data, **more)

    def kubectl(self, *argv, check_it=True, **more):
        result = run("kubectl", *argv, env={**ENV, "KUBECONFIG": self.kubeconfig, "HOME": self.root}, **more)
        if check_it:
            check(result.returncode == 0, f"kubectl {' '.join(argv)}: exit {result.returncode}\n{result.all}")
        return result

    def git(self, repository, person="ada", token=None):
        path = os.path.join(self.root, f"{repository}-{person}-{time.monotonic_ns()}")
        os.makedirs(path)
        made = Git(self, repository, path, person)
        made.env = {**made.env, **{k: v for k, v in ENV.items() if k.startswith("GIT_")}}
        if token is not None:
            made.remote = made.remote.replace(self.token, token)
        return made.init()

    def http(self, method, path, body=None, headers=None, token=True):
        """Status and text of one request to the API's port, in clear text."""
        import http.client
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        all_headers = dict(headers or {})
        if token is True:
            all_headers["Authorization"] = f"Bearer {self.token}"
        elif token:
            all_headers["Authorization"] = token
        connection.request(method, path, body, all_headers)
        answer = connection.getresponse()
        text = answer.read().decode(errors="replace")
        connection.close()
        return answer.status, text

    def push_busybox(self, name="base/busybox", tag="1"):
        need("busybox")
        layer, config = bases.busybox()
        bases.push(self.url, basic("admin", self.token), name, tag, layer, config)
        return f"registry.slipway.local/{name}:{tag}"

    def runs_of(self, commit, count=1, seconds=25):
        """The runs of a commit, when all of them have ended."""
        def test(runs):
            mine = [r for r in runs if get_path(r, "spec", "change", "after") == commit]
            return mine if len(mine) >= count and all(phase(r) in FINAL for r in mine) else None
        return self.wait("WorkflowRun", test, f"the runs of {commit[:12]}", seconds=seconds)


FINAL = ("Succeeded", "Failed", "Cancelled", "Skipped")


def phase(o):
    return get_path(o, "status", "phase") or "Pending"


def one_error(result, code, *parts):
    """One clear error: this exit status, all parts in it, and no more than the error and its hint."""
    check(result.returncode == code, f"exit {result.returncode}, want {code}: {result.all}")
    for part in parts:
        check(part in result.all, f"want \"{part}\" in: {result.all}")
    errors = [line for line in result.stderr.splitlines() if line.startswith("slipway:")]
    check(len(errors) == 1, f"want one error: {result.stderr}")
    for word in ("terminate called", "Assertion", "Sanitizer", "core dumped"):
        check(word not in result.all, result.all)


def main(names, start=lambda: House().start()):
    """Runs the tests; `start` makes the house of those that want one."""
    tests = [(name, thing) for name, thing in names.items() if name.startswith("test_")]
    if len(sys.argv) > 2:
        tests = [t for t in tests if any(word in t[0] for word in sys.argv[2:])]
    skipped, failed, house = [], [], None
    try:
        for name, test in tests:
            began = time.monotonic()
            try:
                if inspect.signature(test).parameters:
                    house = house or start()
                    test(house)
                else:
                    test()
                print(f"ok      {name} ({time.monotonic() - began:.2f} s)", flush=True)
            except Skipped as why:
                skipped.append(name)
                print(f"skipped {name}: {why}", flush=True)
            except (Failed, Timeout, OSError, ValueError, KeyError, RuntimeError, subprocess.SubprocessError, urllib.error.URLError) as error:
                failed.append(name)
                traceback.print_exc()
                print(f"FAILED  {name}: {error}", flush=True)
    finally:
        if house is not None:
            if failed:
                print("the end of slipway's log:\n" + house.log_end(), file=sys.stderr)
            house.close()
    if failed:
        sys.exit(1)
    sys.exit(77 if tests and len(skipped) == len(tests) else 0)
