#!/usr/bin/python3
"""script/demo --app DIR: takes the repository in DIR down the path: push, CI, image, scan, dev, staging, production.

Works on a copy. What the repository lacks (a workflow that builds its image, environments) is written by
`slipway init` beside it in the copy. Exits non-zero, with the reason, when something on the path does not hold.
"""
import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import bases  # noqa: E402
import standins  # noqa: E402
from demo import Failed, Timeline, phase, user_seconds  # noqa: E402
from slipway import Git, Slipway, Timeout, basic, get_path, scratch  # noqa: E402

FINAL = ("Succeeded", "Failed", "Cancelled", "Skipped")


def copy_of(folder, into):
    """What git would commit (or every file, outside of a repository), without the history."""
    listed = subprocess.run(["git", "-C", folder, "ls-files", "-z", "--cached", "--others", "--exclude-standard"], capture_output=True, text=True)
    if listed.returncode != 0:
        shutil.copytree(folder, into, symlinks=True, ignore=shutil.ignore_patterns(".git"))
        return
    for name in filter(None, listed.stdout.split("\0")):
        source, target = os.path.join(folder, name), os.path.join(into, name)
        if not os.path.lexists(source) or (os.path.isdir(source) and not os.path.islink(source)):
            continue  # deleted, or a submodule
        os.makedirs(os.path.dirname(target), exist_ok=True)
        shutil.copy2(source, target, follow_symlinks=False)


class App:
    def __init__(self, program, folder, name, keep, network):
        self.line, self.root, self.keep, self.program = Timeline(), scratch(), keep, program
        self.folder = os.path.realpath(folder)
        self.name = name or os.path.basename(self.folder)
        self.slip = Slipway(program, os.path.join(self.root, "data"), os.path.join(self.root, "slipway.log"), network)
        self.standins = []
        self.source, self.config = os.path.join(self.root, "source"), os.path.join(self.root, "config")

    # -- what the repository lacks -------------------------------------------------------------------------------------
    def prepare(self):
        self.line.say(f"{self.name}: {self.folder}", "step")
        if not os.path.isdir(self.folder):
            raise Failed(f"{self.folder}: no such folder")
        copy_of(self.folder, self.source)
        own = f"{self.folder}-config"
        if os.path.isdir(own):
            copy_of(own, self.config)
            self.line.say(f"its environments are those of {own}")
        result = subprocess.run([self.program, "init", self.source, "--name", self.name, "--config", self.config, "--write", "--output", "json"], capture_output=True, text=True)
        if result.returncode != 0:
            raise Failed("slipway init: " + result.stderr.strip())
        self.plan = json.loads(result.stdout)
        self.service = self.plan["name"]
        shutil.rmtree(os.path.join(self.config, ".git"), ignore_errors=True)  # it is pushed by "you", with what was there before
        for choice in self.plan["choices"]:
            self.line.say(f"{choice['what']}: {choice['value']}  ({choice['why']})")
        written = [f["path"] for f in self.plan["files"] if f["state"] == "written"]
        self.line.say(f"written beside it, in a copy: {len(written)} files" + (f", among them {self.plan['workflow']}" if any(w.startswith(self.source + "/") for w in written) else ""))

    def start(self):
        self.line.say("slipway up, on an empty data directory", "step")
        took = self.slip.start()
        self.line.say(f"ready after {took * 1000:.0f} ms: {self.slip.url}")
        for base in self.plan["bases"]:
            self.bring(base)

    def bring(self, base):
        """A base image: from where it lives, or a stand-in of this machine's files."""
        if "$" in base:
            raise Failed(f"base image {base}: its name depends on a build argument that nothing gives")
        began = time.monotonic()
        pulled = subprocess.run([self.program, "image", "pull", base, "--data", self.slip.data, "--timeout", "60s"], capture_output=True, text=True)
        if pulled.returncode == 0:
            self.line.say(f"base image {base} pulled ({time.monotonic() - began:.1f} s)")
            return
        why = (pulled.stderr.strip().splitlines() or ["no reason given"])[0].removeprefix("slipway: ")
        try:
            layer, config, what = standins.stand_in(base)
        except standins.Missing as missing:
            raise Failed(f"base image {base}: cannot be pulled ({why}), and {missing}") from missing
        name, tag = standins.place(base)
        self.standins.append(base)
        bases.push(self.slip.url, basic("you", self.slip.token), name, tag, layer, config)
        self.line.say(f"base image {base} cannot be pulled here ({why[:120]})")
        self.line.say(f"  STAND-IN for {base}: {what}, of this machine's files, {len(layer) / 1e6:.0f} MB ({time.monotonic() - began:.1f} s)")

    def configure(self):
        config = Git(self.slip, self.plan["configRepository"], self.config, "you").init()
        config.commit(f"The environments of {self.service}")
        config.push("HEAD:main")
        self.slip.command("bootstrap", f"http://slipway/git/{self.plan['configRepository']}.git", "--path", "apps")
        pipeline = self.slip.wait("Pipeline", lambda ps: next((p for p in ps if any(s["name"] == self.service for s in p["spec"]["services"])), None), "the pipeline")
        self.environments = pipeline["spec"]["environments"]
        self.line.say("configuration repository pushed and bootstrapped: " + ", ".join(e["name"] for e in self.environments))

    # -- the path --------------------------------------------------------------------------------------------------------
    def push(self):
        self.line.say("push", "step")
        source = Git(self.slip, self.service, self.source, "you").init()
        source.git("add", "--all", "--force")  # the copy holds only what is committed there, some of it against .gitignore
        self.commit = source.commit(f"{self.service} comes to Slipway")
        self.began = time.monotonic()
        said = source.push("HEAD:main", check=False)
        if said.returncode != 0:
            raise Failed("the push was refused: " + said.stderr.strip())
        self.line.row("push", f"{self.commit[:12]} on main", time.monotonic() - self.began)

    def build(self):
        """The run that builds the image decides; other workflows of the repository are told of at the end."""
        began = time.monotonic()
        change = self.slip.wait("Change", lambda cs: next((c for c in cs if c["spec"]["after"] == self.commit and get_path(c, "status", "phase") == "Started"), None), "the push to be seen")
        if not get_path(change, "status", "runs"):
            raise Failed(f"the push started no workflow, want {self.plan['workflow']} to run on pushes to main")
        mine = lambda r: get_path(r, "spec", "change", "after") == self.commit and r["spec"]["workflow"] == self.plan["workflow"]
        seen = {}

        def ended(runs):
            run = next((r for r in runs if mine(r)), None)
            for job in get_path(run, "status", "jobs") or []:
                if job.get("phase") in FINAL and seen.get(job["key"]) != job["phase"]:
                    seen[job["key"]] = job["phase"]
                    self.line.say(f"{job['name']}: {job['phase']} ({job.get('durationMs', 0) / 1000:.1f} s) {(job.get('message') or '').splitlines()[0][:300] if job.get('message') else ''}", "good" if job["phase"] == "Succeeded" else "bad")
            return run if run and phase(run) in FINAL else None

        run = self.slip.wait("WorkflowRun", ended, f"the run of {self.plan['workflow']}", seconds=900)
        if phase(run) != "Succeeded":
            self.show_log(run)
            message = get_path(run, "status", "message") or ""
            tool = next((t for t in ("apk", "apt-get", "apt", "yum", "dnf", "microdnf") if f"{t}: not found" in message), None)
            hint = f"\n  {tool} is not in the stand-in of {', '.join(self.standins)}: this Dockerfile needs the base image itself, from a machine that reaches it" if tool and self.standins else ""
            raise Failed(f"{self.plan['workflow']}: the run {phase(run).lower()}: {message}{hint}")
        self.line.row("CI: tests, image, scan", ", ".join(f"{j['name']} {j['phase'].lower()}" for j in run["status"]["jobs"]), time.monotonic() - began, user_seconds([run]))
        artifact = self.slip.wait("Artifact", lambda arts: next((a for a in arts if a["spec"].get("commit") == self.commit and phase(a) == "Succeeded"), None), "the image")
        self.digest = artifact["spec"]["digest"]
        scanned = self.log_lines(run, "scan: ")
        summary = next((l for l in reversed(scanned) if " packages, " in l), "")
        self.line.say(f"image {artifact['spec']['image']}@{self.digest[:19]}, {artifact['spec'].get('bytes', 0) / 1e6:.1f} MB; {summary or 'scanned'}", "good")
        for text in scanned[:8]:
            if text != summary:
                self.line.say("  " + text[:200])

    def log_files(self, run):
        for base, _, names in os.walk(os.path.join(self.slip.data, "logs")):
            if run["metadata"]["name"] in base or any(run["metadata"]["name"] in n for n in names):
                yield from (os.path.join(base, n) for n in sorted(names) if run["metadata"]["name"] in os.path.join(base, n))

    def log_lines(self, run, word):
        """Lines of the run's logs that hold the word, from it on."""
        found = []
        for path in self.log_files(run):
            try:
                with open(path, errors="replace") as file:
                    found += [line[line.index(word):].strip() for line in file if word in line]
            except OSError:
                continue
        return found

    def show_log(self, run):
        failed = [j["key"] for j in get_path(run, "status", "jobs") or [] if j.get("phase") == "Failed"]
        for path in self.log_files(run):
            if failed and not any(key in os.path.basename(path) for key in failed):
                continue
            with open(path, errors="replace") as file:
                lines = file.read().splitlines()
            print(f"-- the end of {os.path.basename(path)}", *lines[-25:], sep="\n", file=sys.stderr)

    def deliver(self):
        for environment in self.environments:
            began = time.monotonic()
            name = environment["name"]
            if not environment.get("automatic", True):
                self.approve(name)
            self.released(name, environment["namespace"])
            evidence = self.ask(name)
            self.line.say(f"in {name}: {evidence}", "good")
            self.line.row(name, evidence, time.monotonic() - began)

    def approve(self, environment):
        def waiting(promotions):
            return next((p for p in promotions if p["spec"].get("service") == self.service and p["spec"].get("environment") == environment and phase(p) == "Waiting"), None)
        promotion = self.slip.wait("Promotion", waiting, f"a promotion to {environment} that waits for approval")
        self.slip.command("approve", promotion["metadata"]["name"], "--as", "you")
        self.line.say(f"approved for {environment}")

    def released(self, environment, ns):
        def test(releases):
            for r in releases:
                if r["spec"].get("service") == self.service and r["spec"].get("environment") == environment and r["spec"].get("digest") == self.digest and phase(r) in ("Succeeded", "Failed"):
                    return r
            return None
        release, deadline = None, time.monotonic() + 150
        while release is None:
            try:
                release = self.slip.wait("Release", test, f"{self.service} in {environment}", seconds=5)
            except Timeout as error:
                crashing = self.crashing(ns)
                if crashing:
                    raise Failed(f"{self.service} does not stay up in {environment}: {crashing}\n{self.pods(ns)}") from error
                if time.monotonic() > deadline:
                    raise Failed(f"{self.service} is not ready in {environment} after 150 s{self.doubt()}\n{self.pods(ns)}") from error
        if phase(release) == "Failed":
            raise Failed(f"{self.service} was taken back from {environment}: {get_path(release, 'status', 'verdict', 'why')}\n{self.pods(ns)}")

    def doubt(self):
        """What was not read but assumed, and may be what is wrong."""
        port = next((c for c in self.plan["choices"] if c["what"] == "port"), {"why": ""})
        return f"; port {port['value']} was assumed: {port['why']}" if port["why"].startswith("nothing says") else ""

    def crashing(self, ns):
        """A pod of the new version that ended again and again, with its last words."""
        for pod in self.slip.list("Pod", ns):
            for status in get_path(pod, "status", "containerStatuses") or []:
                if self.digest in json.dumps(pod["spec"]) and status.get("restartCount", 0) >= 2:
                    said = self.slip.log_of(ns, pod["metadata"]["name"])
                    return f"pod {pod['metadata']['name']} ended {status['restartCount']} times" + self.doubt() + (", its last words:\n    " + "\n    ".join(said.splitlines()[-12:]) if said.strip() else ", without a word")
        return None

    def pods(self, ns):
        rows = []
        for pod in self.slip.list("Pod", ns):
            for status in get_path(pod, "status", "containerStatuses") or []:
                rows.append(f"  pod {pod['metadata']['name']}: ready={status.get('ready')} restarts={status.get('restartCount')} state={json.dumps(status.get('state'))[:300]}")
        for event in self.slip.list("Event", ns)[-6:]:
            rows.append(f"  event {event.get('reason')}: {event.get('message')}"[:300])
        return "\n".join(rows) or f"  no pods in {ns}"

    def ask(self, environment):
        host = f"{self.service}.{environment}.slipway.local"
        path = self.plan["health"] or "/"
        deadline, status, text = time.monotonic() + 20, 0, ""
        while time.monotonic() < deadline:
            status, text = self.slip.ask(host, path)
            if 0 < status < 500:
                return f"GET {path} answers {status}, {len(text)} bytes"
            time.sleep(0.05)
        raise Failed(f"{host}{path}: answers {status} {text[:200]!r}")

    def others(self):
        runs = [r for r in self.slip.list("WorkflowRun") if get_path(r, "spec", "change", "after") == self.commit and r["spec"]["workflow"] != self.plan["workflow"]]
        for run in runs:
            self.line.say(f"also started by the push, and not part of this: {run['spec']['workflow']}: {phase(run)} {(get_path(run, 'status', 'message') or '').splitlines()[0][:160] if get_path(run, 'status', 'message') else ''}")

    def why(self):
        environment = self.environments[0]
        kind = "deployment" if self.slip.get("Deployment", self.service, environment["namespace"]) else "rollout"
        told = self.slip.command("why", f"{kind}/{self.service}", "-n", environment["namespace"], check=False)
        for text in told.stdout.splitlines():
            self.line.say("  " + text)

    def run(self):
        self.prepare()
        self.start()
        self.configure()
        self.push()
        self.build()
        self.deliver()
        self.line.say(f"from push to production in {time.monotonic() - self.began:.1f} s", "good")
        self.why()
        self.others()

    def close(self):
        if self.keep and self.slip.process and self.slip.process.poll() is None:
            print(f"left running: {self.slip.url}/#token={self.slip.token}\n  data: {self.slip.data}\n  copy: {self.source}, {self.config}\n"
                  f"  stop: kill {self.slip.process.pid} && {self.program} down --data {self.slip.data} {' '.join(self.slip.network)}")
            return
        if self.slip.process:
            self.slip.stop()
            self.slip.down(check=False)
        shutil.rmtree(self.root, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(prog="script/demo", description="Takes the repository in DIR from a push to production.")
    parser.add_argument("--program", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--app", required=True, metavar="DIR", help="a repository with a Dockerfile")
    parser.add_argument("--name", help="of the service (the folder's)")
    parser.add_argument("--keep", action="store_true", help="leave it running")
    parser.add_argument("--record", metavar="FILE", help="write the timeline as JSON")
    parser.add_argument("--network", default="slipdemo0,10.245.0.0/16,10.97.0.0/16", help="bridge, addresses of pods, addresses of services")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(130))
    folder = os.path.join(os.environ.get("SLIPWAY_DEMO_FROM", os.getcwd()), options.app)
    app = App(options.program, folder, options.name, options.keep, options.network.split(","))
    status = 1
    try:
        app.run()
        status = 0
    except (Failed, Timeout, RuntimeError, subprocess.CalledProcessError) as error:
        app.line.say(str(error), "bad")
        if app.keep:
            print(f"slipway's log: {app.slip.log}", file=sys.stderr)
    finally:
        if app.line.rows:
            app.line.table()
        took = time.monotonic() - app.line.began
        print(f"{app.name} {'is in every environment' if status == 0 else 'did not get all the way'}, {took:.1f} s")
        if options.record:
            with open(options.record, "w") as file:
                json.dump({"app": app.name, "seconds": round(took, 3), "passed": status == 0, "timeline": app.line.events, "table": app.line.rows}, file, indent=2)
        app.close()
    return status


if __name__ == "__main__":
    sys.exit(main())
