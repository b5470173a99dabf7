#!/usr/bin/python3
"""script/demo: takes the example shop from a commit to production, through every stage, and checks each line.

Exits non-zero when one line does not hold. --keep leaves it running; --record FILE writes the timeline as JSON.
"""
import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import bases  # noqa: E402
from slipway import HOME, Git, Load, Slipway, Timeout, basic, get_path, scratch  # noqa: E402

COLOUR = sys.stdout.isatty() and "NO_COLOR" not in os.environ


def paint(code, text):
    return f"\033[{code}m{text}\033[0m" if COLOUR else text


class Failed(Exception):
    pass


class Timeline:
    """What happens, as it happens; and the table at the end."""

    def __init__(self):
        self.began, self.events, self.rows = time.monotonic(), [], []

    def say(self, text, kind="info"):
        at = time.monotonic() - self.began
        self.events.append({"at": round(at, 3), "kind": kind, "text": text})
        mark = {"good": paint("32", "✓"), "bad": paint("31", "✗"), "step": paint("1", "▸")}.get(kind, " ")
        print(f"{paint('2', f'{at:7.2f}s')} {mark} {paint('1', text) if kind == 'step' else text}", flush=True)

    def hold(self, condition, text):
        self.say(text, "good" if condition else "bad")
        if not condition:
            raise Failed(text)

    def row(self, stage, evidence, total, users=0.0):
        self.rows.append({"stage": stage, "evidence": evidence, "seconds": round(total, 3), "user_seconds": round(min(users, total), 3)})

    def table(self):
        print()
        rows = [("stage", "evidence", "the user's own", "slipway")]
        for r in self.rows:
            rows.append((r["stage"], r["evidence"], f"{r['user_seconds']:.2f} s", f"{max(0.0, r['seconds'] - r['user_seconds']):.2f} s"))
        widths = [max(len(row[i]) for row in rows) for i in range(4)]
        for n, row in enumerate(rows):
            line = "  ".join(cell.ljust(widths[i]) if i < 2 else cell.rjust(widths[i]) for i, cell in enumerate(row))
            print(paint("1", line) if n == 0 else line)
        print()


class Mailbox:
    """A real SMTP server (aiosmtpd) and a webhook receiver."""

    def __init__(self):
        from aiosmtpd.controller import Controller
        self.mails, self.hooks, self.changed = [], [], threading.Condition()
        outer = self

        class Handler:
            async def handle_DATA(self, server, session, envelope):
                with outer.changed:
                    outer.mails.append(envelope.content.decode(errors="replace"))
                    outer.changed.notify_all()
                return "250 taken"

        import socket
        with socket.socket() as probe:  # aiosmtpd wants a number of its own
            probe.bind(("127.0.0.1", 0))
            self.smtp_port = probe.getsockname()[1]
        self.smtp = Controller(Handler(), hostname="127.0.0.1", port=self.smtp_port)
        self.smtp.start()

        class Hook(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                with outer.changed:
                    outer.hooks.append(json.loads(body))
                    outer.changed.notify_all()
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.web = ThreadingHTTPServer(("127.0.0.1", 0), Hook)
        self.hook_port = self.web.server_address[1]
        threading.Thread(target=self.web.serve_forever, daemon=True).start()

    def wait(self, test, what, seconds=15):
        with self.changed:
            if not self.changed.wait_for(test, seconds):
                raise Timeout(f"{what}: not within {seconds} s")

    def close(self):
        self.smtp.stop()
        self.web.shutdown()


def phase(o):
    return get_path(o, "status", "phase") or "Pending"


def runs_of(slip, commit, count=1, seconds=60, want="Succeeded"):
    """Waits until all runs of a commit have ended."""
    def test(runs):
        mine = [r for r in runs if get_path(r, "spec", "change", "after") == commit]
        ended = [r for r in mine if phase(r) in ("Succeeded", "Failed", "Cancelled", "Skipped")]
        return mine if len(mine) >= count and len(ended) == len(mine) else None
    runs = slip.wait("WorkflowRun", test, f"the runs of {commit[:12]}", seconds=seconds)
    for r in runs:
        if want and phase(r) != want:
            raise Failed(f"run {r['metadata']['name']} is {phase(r)}, want {want}: {get_path(r, 'status', 'message')}")
    return runs


def user_seconds(runs):
    """The time in which at least one of the user's own commands ran: they run side by side, so it is no sum."""
    spans = sorted((datetime.fromisoformat(s["from"].rstrip("Z")), datetime.fromisoformat(s["to"].rstrip("Z"))) for r in runs for s in get_path(r, "status", "userSpans") or [])
    seconds, until = 0.0, datetime.min
    for begin, end in spans:
        if end > until:
            seconds += (end - max(begin, until)).total_seconds()
            until = end
    return seconds


def answers(slip, host, path, word, seconds=30):
    deadline = time.monotonic() + seconds
    status, text = 0, ""
    while time.monotonic() < deadline:
        status, text = slip.ask(host, path)
        if status == 200 and word in text:
            return
        time.sleep(0.005)
    raise Timeout(f"{host}{path}: not within {seconds} s: last {status} {text[:200]!r}")


def released(slip, service, environment, digest, seconds=60):
    """Waits until the environment holds the digest and is verified."""
    def test(releases):
        for r in releases:
            spec = r["spec"]
            if spec.get("service") == service and spec.get("environment") == environment and spec.get("digest") == digest and phase(r) == "Succeeded":
                return r
        return None
    return slip.wait("Release", test, f"{service} {digest[:19]} in {environment}", seconds=seconds)


class Demo:
    def __init__(self, program, keep):
        self.line = Timeline()
        self.root = scratch()
        self.keep = keep
        self.program = program
        self.slip = Slipway(program, os.path.join(self.root, "data"), os.path.join(self.root, "slipway.log"))
        self.mail = Mailbox()
        self.digest = {}

    # -- set-up ---------------------------------------------------------------------------------------------------
    def prepare(self):
        self.line.say("slipway up, on an empty data directory", "step")
        took = self.slip.start()
        self.line.say(f"ready after {took * 1000:.0f} ms: {self.slip.url}")
        began = time.monotonic()
        sizes = bases.push_all(self.slip.url, basic("demo", self.slip.token))
        self.line.say("base images from this machine's packages pushed: " + ", ".join(f"{n} {s / 1e6:.0f} MB" for n, s in sizes.items()) + f" ({time.monotonic() - began:.1f} s)")
        for name in ("shop", "shop-config"):
            shutil.copytree(os.path.join(HERE, "..", name), os.path.join(self.root, name))
        notifiers = os.path.join(self.root, "shop-config", "apps", "notifiers.yaml")
        text = open(notifiers).read().replace("127.0.0.1:2525", f"127.0.0.1:{self.mail.smtp_port}").replace("127.0.0.1:8765", f"127.0.0.1:{self.mail.hook_port}")
        open(notifiers, "w").write(text)
        self.config = Git(self.slip, "shop-config", os.path.join(self.root, "shop-config"), "ada").init()
        self.config.commit("The shop's environments")
        self.config.push("HEAD:main")
        self.slip.command("bootstrap", "http://slipway/git/shop-config.git", "--path", "apps")
        self.slip.wait("Pipeline", lambda ps: [p for p in ps if p["metadata"]["name"] == "shop"], "the pipeline")
        self.line.say("configuration repository pushed and bootstrapped: dev, staging, production")

    # -- a ----------------------------------------------------------------------------------------------------------
    def first_push(self):
        self.line.say("a. first push", "step")
        self.shop = Git(self.slip, "shop", os.path.join(self.root, "shop"), "ada").init()
        commit = self.shop.commit("The shop opens")
        began = time.monotonic()
        self.shop.push("HEAD:main")
        runs = runs_of(self.slip, commit, count=2)
        for service in ("api", "web"):
            self.digest[service] = self.artifact(service, commit)
            released(self.slip, service, "dev", self.digest[service])
        answers(self.slip, "api.dev.shop.local", "/version", commit)
        answers(self.slip, "web.dev.shop.local", "/", commit)
        took = time.monotonic() - began
        self.line.hold(True, f"both services answer with {commit[:12]} in dev")
        self.line.row("a. first push to dev", f"/version = {commit[:12]}", took, user_seconds(runs))
        self.until_production("ada")

    def artifact(self, service, commit, passed=True):
        def test(artifacts):
            for a in artifacts:
                if a["spec"].get("service") == service and a["spec"].get("commit") == commit and (phase(a) == "Succeeded" or not passed):
                    return a["spec"]["digest"]
            return None
        return self.slip.wait("Artifact", test, f"the image of {service}")

    def approve(self, service, digest, who):
        def waiting(promotions):
            for p in promotions:
                if p["spec"].get("service") == service and p["spec"].get("environment") == "production" and get_path(p, "spec", "artifact", "digest") == digest:
                    return p if phase(p) == "Waiting" else None
            return None
        promotion = self.slip.wait("Promotion", waiting, f"{service} waiting for approval")
        self.slip.command("approve", promotion["metadata"]["name"], "--as", who)
        return promotion

    def until_production(self, who):
        for service in ("api", "web"):
            released(self.slip, service, "staging", self.digest[service])
            self.approve(service, self.digest[service], who)
        for service in ("api", "web"):
            released(self.slip, service, "production", self.digest[service])
        self.line.say("the first version is in production")

    # -- b ----------------------------------------------------------------------------------------------------------
    def pull_request(self):
        self.line.say("b. pull request", "step")
        text = self.shop.read("services/api/src/app.c").replace('{"lantern", 2300}', '{"lantern", 2300}, {"compass", 3100}')
        self.shop.write("services/api/src/app.c", text)
        self.shop.commit("Sell compasses")
        began = time.monotonic()
        said = self.shop.push("HEAD:refs/for/main").stderr
        self.line.hold("pull request 1 opened" in said, "git says: " + next((l.strip() for l in said.splitlines() if "pull request" in l), said[-200:]))
        request = self.slip.wait("PullRequest", lambda prs: next((p for p in prs if get_path(p, "status", "checksState") in ("Succeeded", "Failed")), None), "the checks")
        took = time.monotonic() - began
        self.line.hold(get_path(request, "status", "checksState") == "Succeeded", "checks: " + ", ".join(f"{c['context']} {c['state']}" for c in request["status"]["checks"]))
        contexts = {c["context"] for c in request["status"]["checks"]}
        self.line.hold({"api / lint", "api / test", "api / image", "api / integration"} <= contexts, "a status for each check")
        self.merge_commit = request["status"]["mergeCommit"]
        runs = runs_of(self.slip, self.merge_commit)
        self.line.hold(len(runs) == 1, "web is untouched and was left alone")
        previews = [n["metadata"]["name"] for n in self.slip.list("Namespace", "") if n["metadata"]["name"].startswith("preview-")]
        self.line.hold(not previews, "the namespace of the integration tests is gone")
        comment = request["status"].get("comment", "")
        self.line.hold(all(f"### {e}" in comment for e in ("dev", "staging", "production")) and "+" in comment, "the comment shows what merging changes in dev, staging and production")
        self.line.row("b. pull request", "4 checks, preview gone, comment", took, user_seconds(runs))

    # -- c ----------------------------------------------------------------------------------------------------------
    def merge(self):
        self.line.say("c. merge", "step")
        built = self.artifact("api", self.merge_commit, passed=False)
        began = time.monotonic()
        load = Load(self.slip, "api.production.shop.local", "/items")
        self.slip.command("pr", "merge", "shop#1")
        commit = self.shop.update()
        self.line.hold(commit == self.merge_commit, f"main is the commit that was tested, {commit[:12]}")
        released(self.slip, "api", "dev", built)
        answers(self.slip, "api.dev.shop.local", "/version", commit)
        artifacts = [a for a in self.slip.list("Artifact") if a["spec"]["service"] == "api"]
        self.line.hold(len({a["spec"]["digest"] for a in artifacts}) == 2, f"nothing was rebuilt: dev runs {built[:19]}")
        released(self.slip, "api", "staging", built)
        self.line.hold(True, "staging went blue-green")
        self.approve("api", built, "grace")
        # Judged on real traffic: the canary gets its share of the load.
        released(self.slip, "api", "production", built, seconds=90)
        took = time.monotonic() - began
        answers(self.slip, "api.production.shop.local", "/items", "compass")
        share, count = load.failed_share(began)
        load.stop()
        self.line.hold(share == 0, f"production follows by canary: {count} requests of users, none failed")
        self.mail.wait(lambda: any("production" in m for m in self.mail.mails), "a mail")
        self.mail.wait(lambda: any("production" in json.dumps(h) for h in self.mail.hooks), "a webhook")
        self.line.hold(True, f"notifications arrived: {len(self.mail.mails)} mails, {len(self.mail.hooks)} webhooks")
        self.digest["api"] = built
        self.line.row("c. merge to production", f"same digest {built[7:19]}, 0 of {count} failed", took)

    # -- d ----------------------------------------------------------------------------------------------------------
    def drift(self):
        self.line.say("d. somebody edits and deletes by hand", "step")
        kubectl = recent_kubectl()
        ns = "shop-dev"
        if kubectl:
            env = {**os.environ, "KUBECONFIG": self.slip.kubeconfig}
            edit = lambda: subprocess.run([kubectl, "-n", ns, "scale", "deployment/api", "--replicas=5"], env=env, check=True, capture_output=True)
            remove = lambda: subprocess.run([kubectl, "-n", ns, "delete", "service/web", "--wait=false"], env=env, check=True, capture_output=True)
        else:
            self.line.say("no kubectl from 1.29 on: speaking to the API directly")
            edit = lambda: self.slip.patch("Deployment", "api", {"spec": {"replicas": 5}}, ns)
            remove = lambda: self.slip.delete("Service", "web", ns)
        uid = self.slip.get("Service", "web", ns)["metadata"]["uid"]
        edit()
        began = time.monotonic()
        self.slip.wait("Deployment", lambda ds: next((d for d in ds if d["metadata"]["name"] == "api" and d["spec"]["replicas"] == 1), None), "replicas healed", ns, 5)
        edited = time.monotonic() - began
        remove()
        began = time.monotonic()
        self.slip.wait("Service", lambda ss: next((s for s in ss if s["metadata"]["name"] == "web" and s["metadata"]["uid"] != uid), None), "service healed", ns, 5)
        deleted = time.monotonic() - began
        self.line.hold(edited < 1 and deleted < 1, f"healed {edited * 1000:.0f} ms and {deleted * 1000:.0f} ms after the command")
        notices = self.slip.wait("Notice", lambda ns_: (lambda d: d if len(d) >= 2 else None)([n for n in ns_ if n["spec"]["event"] == "drift.healed"]), "drift reports")
        text = " ".join(n["spec"]["title"] + " " + n["spec"].get("text", "") for n in notices)
        self.line.hold("admin" in text and "replicas" in text, "reported with who and what: " + notices[-1]["spec"]["title"])
        self.line.row("d. drift healed", "1 edit, 1 deletion", edited + deleted)

    # -- e ----------------------------------------------------------------------------------------------------------
    def bad_version(self):
        self.line.say("e. a version that fails one request in four", "step")
        good = self.digest["api"]
        self.shop.write("services/api/FAIL_EVERY", "4\n")
        self.shop.commit("Faster catalogue")
        self.shop.push("HEAD:refs/for/main")
        load = Load(self.slip, "api.production.shop.local", "/items", per_second=150)
        self.slip.wait("PullRequest", lambda prs: next((p for p in prs if p["spec"]["title"] == "Faster catalogue" and get_path(p, "status", "checksState") == "Succeeded"), None), "green checks of the bad version")
        number = max(p["spec"]["number"] for p in self.slip.list("PullRequest"))
        self.slip.command("pr", "merge", f"shop#{number}")
        commit = self.shop.update()
        bad = self.artifact("api", commit)
        released(self.slip, "api", "staging", bad)
        began = time.monotonic()
        self.approve("api", bad, "grace")
        self.slip.wait("Rollout", lambda rs: next((r for r in rs if r["metadata"]["name"] == "api" and get_path(r, "status", "abort")), None), "the abort", "shop-production", 60)
        aborted = time.monotonic() - began
        promotion = self.slip.wait("Promotion", lambda ps: next((p for p in ps if p["spec"].get("revert") and p["spec"]["service"] == "api" and phase(p) == "Succeeded"), None), "the revert in Git")
        self.config.update()
        subject = self.config.git("log", "-1", "--format=%s").stdout.strip()
        self.line.hold(good in self.config.read("overlays/production/kustomization.yaml"), f"the promotion was reverted in Git: {subject}")
        self.slip.wait("Rollout", lambda rs: next((r for r in rs if r["metadata"]["name"] == "api" and phase(r) == "Healthy"), None), "production healthy", "shop-production", 60)
        share, count = load.failed_share(began)
        clean = time.monotonic()
        time.sleep(0.5)
        after, _ = load.failed_share(clean)
        load.stop()
        self.line.hold(after == 0, f"caught by the canary after {aborted:.1f} s, traffic is back: users saw {share * 100:.1f} % of {count} requests fail")
        self.line.row("e. bad version aborted", f"{share * 100:.1f} % of {count} requests failed", aborted)
        self.shop.git("rm", "-q", "services/api/FAIL_EVERY")

    # -- f ----------------------------------------------------------------------------------------------------------
    def stopped(self):
        self.line.say("f. a vulnerable dependency and a private key", "step")
        self.shop.git("reset", "-q", "--hard", "origin/main")
        lock = json.loads(self.shop.read("services/web/package-lock.json"))
        lock["packages"][""]["dependencies"] = {"minimist": "1.2.0"}
        lock["packages"]["node_modules/minimist"] = {"version": "1.2.0", "license": "MIT"}
        self.shop.write("services/web/package-lock.json", json.dumps(lock, indent=2) + "\n")
        self.shop.commit("Parse arguments")
        began = time.monotonic()
        self.shop.push("HEAD:refs/for/main")
        request = self.slip.wait("PullRequest", lambda prs: next((p for p in prs if p["spec"]["title"] == "Parse arguments" and get_path(p, "status", "checksState") in ("Succeeded", "Failed")), None), "the checks")
        reasons = " ".join(c.get("message", "") for c in request["status"]["checks"]) + request["status"].get("comment", "")
        self.line.hold(request["status"]["checksState"] == "Failed" and "minimist" in reasons and "CVE-2021-44906" in reasons and "package-lock.json" in reasons,
                       "stopped: minimist 1.2.0 has CVE-2021-44906 (package-lock.json), fixed in 1.2.6")
        self.shop.git("reset", "-q", "--hard", "origin/main")
        key = subprocess.run(["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"], capture_output=True, text=True, check=True).stdout
        self.shop.write("services/api/deploy.key", key)
        self.shop.commit("Deploy key")
        refused = self.shop.push("HEAD:refs/for/main", check=False)
        self.line.hold(refused.returncode != 0 and "services/api/deploy.key:1" in refused.stderr, "the push with a private key was refused: services/api/deploy.key:1")
        direct = self.shop.push("HEAD:main", check=False)
        self.line.hold(direct.returncode != 0, "and main is protected anyway")
        self.shop.git("reset", "-q", "--hard", "origin/main")
        self.line.row("f. stopped early", "CVE-2021-44906, deploy.key:1", time.monotonic() - began)

    # -- g ----------------------------------------------------------------------------------------------------------
    def untouched(self):
        self.line.say("g. a change of web leaves api alone", "step")
        self.shop.write("services/web/src/page.js", self.shop.read("services/web/src/page.js").replace("<h1>Shop</h1>", "<h1>The shop</h1>"))
        commit_head = self.shop.commit("A better title")
        began = time.monotonic()
        self.shop.push("HEAD:refs/for/main")
        request = self.slip.wait("PullRequest", lambda prs: next((p for p in prs if p["spec"]["head"] == commit_head and get_path(p, "status", "checksState") in ("Succeeded", "Failed")), None), "the checks")
        runs = runs_of(self.slip, request["status"]["mergeCommit"])
        names = [r["spec"]["name"] for r in runs]
        self.line.hold(names == ["web"], "only web's workflow ran; api was neither built nor tested")
        self.web_request = request
        self.line.row("g. untouched service", "1 of 2 workflows ran", time.monotonic() - began, user_seconds(runs))

    # -- h ----------------------------------------------------------------------------------------------------------
    def killed(self):
        self.line.say("h. kill -9 in the middle of a run and of a rollout", "step")
        self.slip.command("pr", "merge", f"shop#{self.web_request['spec']['number']}")
        commit = self.shop.update()
        web = self.artifact("web", commit)
        released(self.slip, "web", "staging", web)
        # A run in the middle of a step ...
        self.shop.write("services/api/tests/test_app.c", self.shop.read("services/api/tests/test_app.c").replace("int main(void) {", "#include <unistd.h>\nint main(void) {\n  sleep(2);", 1))
        head = self.shop.commit("A slow test")
        self.shop.push("HEAD:refs/for/main")
        self.slip.wait("WorkflowRun", lambda rs: next((r for r in rs if phase(r) == "Running" and any(j.get("name") == "test" and j.get("phase") == "Running" for j in get_path(r, "status", "jobs") or [])), None), "a run in its test job")
        # ... and a rollout in the middle of its canary.
        load = Load(self.slip, "web.production.shop.local", "/")
        self.approve("web", web, "grace")
        self.slip.wait("Rollout", lambda rs: next((r for r in rs if r["metadata"]["name"] == "web" and phase(r) in ("Progressing", "Paused") and get_path(r, "status", "currentPodHash") != get_path(r, "status", "stableRS")), None), "a rollout under way", "shop-production")
        began = time.monotonic()
        self.slip.kill()
        self.line.say("killed; starting again")
        took = self.slip.start()
        self.line.say(f"up again after {took * 1000:.0f} ms")
        request = self.slip.wait("PullRequest", lambda prs: next((p for p in prs if p["spec"]["head"] == head and get_path(p, "status", "checksState") in ("Succeeded", "Failed")), None), "the run to finish")
        self.line.hold(get_path(request, "status", "checksState") == "Succeeded", "the run went on and finished green")
        released(self.slip, "web", "production", web, seconds=90)
        load.stop()
        self.line.hold(True, "the rollout went on and finished")
        self.digest["web"] = web
        self.line.row("h. kill -9 and restart", "run and rollout finished", time.monotonic() - began)

    # -- i ----------------------------------------------------------------------------------------------------------
    def disaster(self):
        self.line.say("i. the cluster's state is lost", "step")
        before = self.running()
        self.slip.stop()
        self.slip.command("down", "--bridge", "slipdemo0", "--pod-cidr", "10.245.0.0/16", "--service-cidr", "10.97.0.0/16")
        for name in os.listdir(self.slip.data):
            if name.startswith("cluster.db") or name in ("pods",):
                path = os.path.join(self.slip.data, name)
                shutil.rmtree(path) if os.path.isdir(path) else os.remove(path)
        self.slip.start()
        self.line.hold(not self.slip.list("Application", "argocd"), "the API knows nothing any more")
        began = time.monotonic()
        self.slip.command("bootstrap", "http://slipway/git/shop-config.git", "--path", "apps")
        for service in ("api", "web"):
            answers(self.slip, f"{service}.production.shop.local", "/healthz", "ok", seconds=60)
        self.slip.wait("Application", lambda apps: (lambda ok: ok if len(ok) >= 3 else None)([a for a in apps if get_path(a, "status", "health", "status") == "Healthy" and get_path(a, "status", "sync", "status") == "Synced" and a["metadata"]["name"].startswith("shop-")]), "all environments healthy", "argocd")
        deadline = began + 60
        while (after := self.running()) != before and time.monotonic() < deadline:
            time.sleep(0.02)
        took = time.monotonic() - began
        if before != after:
            self.line.say(f"missing: {sorted(before - after)} new: {sorted(after - before)}")
        self.line.hold(before == after, f"bootstrap brought every environment back to the same digests in {took:.1f} s")
        self.line.row("i. recovery from Git", f"{len(after)} images, same digests", took)

    def running(self):
        """What users reach: the pods of each stable ReplicaSet. Those of earlier versions linger for scaleDownDelaySeconds."""
        images = set()
        for ns in ("shop-dev", "shop-staging", "shop-production"):
            stable = {get_path(r, "status", "stableRS") for r in self.slip.list("Rollout", ns)}
            for pod in self.slip.list("Pod", ns):
                hash = pod["metadata"].get("labels", {}).get("rollouts-pod-template-hash")
                if get_path(pod, "status", "phase") != "Running" or pod["metadata"].get("deletionTimestamp") or (hash and hash not in stable):
                    continue
                for container in pod["spec"]["containers"]:
                    images.add((ns, container["name"], container["image"].split("@")[-1]))
        return images

    # -- all ----------------------------------------------------------------------------------------------------------
    def run(self):
        self.prepare()
        for step in (self.first_push, self.pull_request, self.merge, self.drift, self.bad_version, self.stopped, self.untouched, self.killed, self.disaster):
            step()
        self.line.say(f"slipway's memory: {self.slip.memory_mb():.0f} MB")

    def close(self):
        self.mail.close()
        if self.keep:
            print(f"left running: {self.slip.url}/#token={self.slip.token}\n  data: {self.slip.data}\n  stop: kill {self.slip.process.pid} && {self.program} down --data {self.slip.data} --bridge slipdemo0")
            return
        self.slip.stop()
        self.slip.command("down", "--bridge", "slipdemo0", "--pod-cidr", "10.245.0.0/16", "--service-cidr", "10.97.0.0/16", check=False)
        shutil.rmtree(self.root, ignore_errors=True)


def recent_kubectl():
    found = shutil.which("kubectl")
    if not found:
        return None
    text = subprocess.run([found, "version", "--client"], capture_output=True, text=True).stdout
    version = re.search(r"v1\.(\d+)", text)
    return found if version and int(version.group(1)) >= 29 else None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", required=True)
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--record")
    parser.add_argument("--steps", help="letters of the last step to run, for work on the demo itself")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(130))
    demo = Demo(options.program, options.keep)
    status = 1
    try:
        demo.run()
        status = 0
    except (Failed, Timeout, RuntimeError, subprocess.CalledProcessError) as error:
        demo.line.say(str(error), "bad")
        log = open(demo.slip.log).read().splitlines()
        print("\n".join(["the end of slipway's log:", *log[-40:]]), file=sys.stderr)
    finally:
        demo.line.table()
        took = time.monotonic() - demo.line.began
        print(f"{'every line holds' if status == 0 else 'a line does not hold'}, {took:.1f} s")
        if options.record:
            with open(options.record, "w") as file:
                json.dump({"seconds": round(took, 3), "passed": status == 0, "timeline": demo.line.events, "table": demo.line.rows}, file, indent=2)
        demo.close()
    return status


if __name__ == "__main__":
    sys.exit(main())
