"""A Slipway of the benchmark's own, with the example shop in it: its own data directory, ports and pod network."""
import json
import os
import shutil
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from datetime import datetime

HERE = os.path.dirname(os.path.abspath(__file__))
EXAMPLES = os.path.join(HERE, "..", "examples")
sys.path.insert(0, os.path.join(EXAMPLES, "demo"))
import bases  # noqa: E402
from slipway import Git, Slipway, Timeout, basic, get_path  # noqa: E402,F401

# Bench and demo may run on one machine.
NETWORK = ("--bridge", "slipbench0", "--pod-cidr", "10.231.0.0/16", "--service-cidr", "10.131.0.0/16")

# Commits go straight to main, as teams without pull requests do: allowed for a repository that an Application reads.
# This one reads a folder without manifests, so it deploys nothing.
TRUNK = """apiVersion: argoproj.io/v1alpha1
kind: Application
metadata:
  name: shop-trunk
  namespace: argocd
spec:
  project: default
  source:
    repoURL: http://slipway/git/shop.git
    targetRevision: main
    path: integration
  destination:
    server: https://kubernetes.default.svc
    namespace: shop-dev
"""


class House(Slipway):
    def start(self):
        began = time.monotonic()
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [self.program, "up", "--data", self.data, "--listen", f"127.0.0.1:{self.port}", "--gateway", str(self.gateway_port), "--output", "json", *NETWORK],
                stdout=subprocess.PIPE, stderr=log, start_new_session=True)
        text = ""
        for line in self.process.stdout:
            text += line.decode()
            if line.startswith(b"}"):
                break
        took = time.monotonic() - began
        if not text:
            raise RuntimeError(f"slipway up: did not start, see {self.log}\n" + open(self.log).read()[-3000:])
        ready = json.loads(text)
        threading.Thread(target=self.process.stdout.read, daemon=True).start()
        self.url = ready["url"]
        self.port = int(self.url.rsplit(":", 1)[1])
        self.gateway_port = int(ready["gateway"].rsplit(":", 1)[1])
        self.token = open(os.path.join(self.data, "token")).read().strip()
        self.kubeconfig = ready["kubeconfig"]
        self.tls = ssl.create_default_context(cafile=os.path.join(self.data, "pki", "ca.crt"))
        return took

    def down(self):
        """Stops, and takes pods, mounts and the network away."""
        self.stop()
        self.command("down", *NETWORK, check=False)


def scratch(name):
    return tempfile.mkdtemp(prefix=f"slipway-bench-{name}.")


class Shop:
    """The example shop and its configuration, pushed to a House and running in dev and staging; in production once released."""

    def __init__(self, house, root):
        self.house = house
        for name in ("shop", "shop-config"):
            shutil.copytree(os.path.join(EXAMPLES, name), os.path.join(root, name))
        # Nobody listens to the shop's notifiers here: delivering to nobody, again and again, is no part of the path.
        os.remove(os.path.join(root, "shop-config", "apps", "notifiers.yaml"))
        self.config = Git(house, "shop-config", os.path.join(root, "shop-config"), "ada").init()
        self.shop = Git(house, "shop", os.path.join(root, "shop"), "ada").init()

    def open(self):
        self.config.write("apps/trunk.yaml", TRUNK)
        self.config.commit("The shop's environments")
        self.config.push("HEAD:main")
        self.house.command("bootstrap", "http://slipway/git/shop-config.git", "--path", "apps")
        self.house.wait("Pipeline", lambda ps: [p for p in ps if p["metadata"]["name"] == "shop"], "the pipeline")
        commit = self.shop.commit("The shop opens")
        self.shop.push("HEAD:main")
        for service in ("api", "web"):
            self.settled(service, commit)
        return commit

    def settled(self, service, commit, environment="staging", seconds=90):
        """Waits until a commit is verified in an environment: nothing of it is under way any more."""
        def done(releases):
            return next((r for r in releases if r["spec"].get("service") == service and r["spec"].get("environment") == environment
                         and r["spec"].get("sourceCommit") == commit and get_path(r, "status", "phase") == "Succeeded"), None)
        return self.house.wait("Release", done, f"{service} {commit[:12]} in {environment}", seconds=seconds)

    def release(self, commit):
        """Takes what is in staging to production, as one who may approves it."""
        for service in ("api", "web"):
            def waits(promotions):
                return next((p for p in promotions if p["spec"].get("service") == service and p["spec"].get("environment") == "production"
                             and get_path(p, "status", "phase") == "Waiting"), None)
            self.house.command("approve", self.house.wait("Promotion", waits, f"{service} waits for approval")["metadata"]["name"], "--as", "grace")
        for service in ("api", "web"):
            self.settled(service, commit, "production")

    def runs_of(self, commit):
        return [r for r in self.house.list("WorkflowRun") if get_path(r, "spec", "change", "after") == commit]


def moment(text):
    return datetime.fromisoformat(text.rstrip("Z")).replace(tzinfo=None).timestamp()


def union_seconds(spans):
    """The time in which at least one span ran: commands run side by side, so it is no sum."""
    seconds, until = 0.0, float("-inf")
    for begin, end in sorted(spans):
        if end > until:
            seconds += end - max(begin, until)
            until = end
    return seconds


def user_spans(runs):
    return [(moment(s["from"]), moment(s["to"])) for r in runs for s in get_path(r, "status", "userSpans") or []]
