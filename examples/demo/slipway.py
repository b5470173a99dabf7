"""A running Slipway and its API, for the demo: start, stop, kill, read, wait for what happens."""
import base64
import json
import os
import signal
import ssl
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

GROUPS = {  # kind -> (path of its group, plural)
    "Namespace": ("/api/v1", "namespaces"), "Pod": ("/api/v1", "pods"), "Service": ("/api/v1", "services"), "Secret": ("/api/v1", "secrets"),
    "ConfigMap": ("/api/v1", "configmaps"), "Event": ("/api/v1", "events"),
    "Deployment": ("/apis/apps/v1", "deployments"), "ReplicaSet": ("/apis/apps/v1", "replicasets"),
    "Application": ("/apis/argoproj.io/v1alpha1", "applications"), "Rollout": ("/apis/argoproj.io/v1alpha1", "rollouts"),
    "AnalysisRun": ("/apis/argoproj.io/v1alpha1", "analysisruns"),
    "Change": ("/apis/slipway.dev/v1", "changes"), "PullRequest": ("/apis/slipway.dev/v1", "pullrequests"), "WorkflowRun": ("/apis/slipway.dev/v1", "workflowruns"),
    "Artifact": ("/apis/slipway.dev/v1", "artifacts"), "Promotion": ("/apis/slipway.dev/v1", "promotions"), "Pipeline": ("/apis/slipway.dev/v1", "pipelines"),
    "Release": ("/apis/slipway.dev/v1", "releases"), "Notice": ("/apis/slipway.dev/v1", "notices"), "Notifier": ("/apis/slipway.dev/v1", "notifiers"),
}
HOME = "slipway-system"
NETWORK = ("slipdemo0", "10.245.0.0/16", "10.97.0.0/16")  # bridge, pods, services


class Timeout(Exception):
    pass


def get_path(thing, *keys):
    for key in keys:
        if isinstance(thing, dict):
            thing = thing.get(key)
        elif isinstance(thing, list) and isinstance(key, int) and key < len(thing):
            thing = thing[key]
        else:
            return None
    return thing


class Slipway:
    def __init__(self, program, data, log, network=NETWORK):
        self.program, self.data, self.log = program, data, log
        self.network = ["--bridge", network[0], "--pod-cidr", network[1], "--service-cidr", network[2]]
        self.process = None
        self.port = self.gateway_port = 0
        os.makedirs(data, exist_ok=True)

    # -- the process --------------------------------------------------------------------------------------------
    def start(self):
        began = time.monotonic()
        self.process = subprocess.Popen(
            [self.program, "up", "--data", self.data, "--listen", f"127.0.0.1:{self.port}", "--gateway", str(self.gateway_port), "--output", "json",
             *self.network],
            stdout=subprocess.PIPE, stderr=open(self.log, "ab"), start_new_session=True)
        text = ""
        for line in self.process.stdout:
            text += line.decode()
            if line.startswith(b"}"):
                break
        if not text:
            raise RuntimeError(f"slipway did not start: see {self.log}\n" + open(self.log).read()[-3000:])
        ready = json.loads(text)
        threading.Thread(target=self.process.stdout.read, daemon=True).start()
        self.url = ready["url"]
        self.port = int(self.url.rsplit(":", 1)[1])
        self.gateway_port = int(ready["gateway"].rsplit(":", 1)[1])
        self.token = open(os.path.join(self.data, "token")).read().strip()
        self.kubeconfig = ready["kubeconfig"]
        self.tls = ssl.create_default_context(cafile=os.path.join(self.data, "pki", "ca.crt"))
        return time.monotonic() - began

    def kill(self):
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()

    def down(self, check=True):
        """Ends every container and removes the pod network of a slipway that was stopped."""
        return self.command("down", *self.network, check=check)

    def command(self, *arguments, check=True):
        result = subprocess.run([self.program, *arguments, "--data", self.data], capture_output=True, text=True)
        if check and result.returncode != 0:
            raise RuntimeError(f"slipway {' '.join(arguments)}: exit {result.returncode}\n{result.stdout}{result.stderr}")
        return result

    def memory_mb(self):
        for line in open(f"/proc/{self.process.pid}/status"):
            if line.startswith("VmRSS"):
                return int(line.split()[1]) / 1024
        return 0

    # -- the API ------------------------------------------------------------------------------------------------
    def _url(self, kind, ns, name="", query=None):
        group, plural = GROUPS[kind]
        path = f"https://127.0.0.1:{self.port}{group}" + (f"/namespaces/{ns}" if ns else "") + f"/{plural}" + (f"/{name}" if name else "")
        return path + ("?" + urllib.parse.urlencode(query) if query else "")

    def _open(self, method, url, body=None, content_type="application/json", agent="demo", timeout=30):
        headers = {"Authorization": f"Bearer {self.token}", "User-Agent": agent}
        data = None
        if body is not None:
            data, headers["Content-Type"] = json.dumps(body).encode(), content_type
        return urllib.request.urlopen(urllib.request.Request(url, data=data, method=method, headers=headers), context=self.tls, timeout=timeout)

    def get(self, kind, name, ns=HOME):
        try:
            with self._open("GET", self._url(kind, ns, name)) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return None
            raise

    def log_of(self, ns, pod):
        """The last lines of a pod's log, of the container before when it was started again."""
        for query in ("?tailLines=12&previous=true", "?tailLines=12"):
            try:
                with self._open("GET", self._url("Pod", ns, pod) + "/log" + query) as answer:
                    return answer.read().decode(errors="replace")
            except (urllib.error.HTTPError, OSError):
                continue
        return ""

    def list(self, kind, ns=HOME, **query):
        with self._open("GET", self._url(kind, ns, query=query)) as answer:
            return json.load(answer)["items"]

    def patch(self, kind, name, body, ns=HOME, agent="kubectl/v1 demo", subresource=""):
        url = self._url(kind, ns, name) + (f"/{subresource}" if subresource else "") + "?fieldManager=kubectl-edit"
        with self._open("PATCH", url, body, "application/merge-patch+json", agent) as answer:
            return json.load(answer)

    def delete(self, kind, name, ns=HOME, agent="kubectl/v1 demo"):
        with self._open("DELETE", self._url(kind, ns, name), {"propagationPolicy": "Background"}, agent=agent) as answer:
            return json.load(answer)

    def wait(self, kind, test, what, ns=HOME, seconds=60):
        """Watches until test(objects by name) is true; gives its value."""
        deadline = time.monotonic() + seconds
        objects, version = {}, None
        while True:
            try:
                with self._open("GET", self._url(kind, ns)) as answer:
                    listed = json.load(answer)
                objects = {(o["metadata"].get("namespace", ""), o["metadata"]["name"]): o for o in listed["items"]}
                version = listed["metadata"]["resourceVersion"]
                found = test(list(objects.values()))
                if found:
                    return found
                left = deadline - time.monotonic()
                if left <= 0:
                    raise Timeout(f"{what}: not within {seconds} s; {kind} now: " + self.brief(objects.values()))
                query = {"watch": "true", "resourceVersion": version, "timeoutSeconds": max(1, int(left) + 1)}
                with self._open("GET", self._url(kind, ns, query=query), timeout=left + 0.5) as stream:
                    for line in stream:
                        event = json.loads(line)
                        if event["type"] == "ERROR":
                            break
                        o = event["object"]
                        key = (o["metadata"].get("namespace", ""), o["metadata"].get("name", ""))
                        if event["type"] == "DELETED":
                            objects.pop(key, None)
                        elif event["type"] != "BOOKMARK":
                            objects[key] = o
                        found = test(list(objects.values()))
                        if found:
                            return found
            except (TimeoutError, ssl.SSLError, ConnectionError, urllib.error.URLError, OSError) as error:
                if isinstance(error, urllib.error.HTTPError) and error.code not in (410, 503):
                    raise
                if time.monotonic() > deadline:
                    raise Timeout(f"{what}: not within {seconds} s; {kind} now: " + self.brief(objects.values())) from error
                time.sleep(0.02)

    @staticmethod
    def brief(objects):
        rows = []
        for o in objects:
            status = o.get("status") or {}
            words = [get_path(status, *path) for path in (("sync", "status"), ("health", "status"), ("health", "message"), ("operationState", "phase"))]
            rows.append(" ".join(str(w) for w in [o["metadata"]["name"], status.get("phase"), status.get("message"), *words] if w)[:300])
        return "; ".join(rows[-12:]) or "none"

    # -- the gateway --------------------------------------------------------------------------------------------
    def ask(self, host, path="/", timeout=5):
        """One request through the gateway: status and text; 0 when nobody answers."""
        import http.client
        connection = http.client.HTTPConnection("127.0.0.1", self.gateway_port, timeout=timeout)
        try:
            connection.request("GET", path, headers={"Host": host})
            answer = connection.getresponse()
            return answer.status, answer.read().decode(errors="replace")
        except OSError:
            return 0, ""
        finally:
            connection.close()


class Git:
    """A working copy that pushes to the embedded host as a person would."""

    def __init__(self, slipway, repository, folder, person):
        self.slipway, self.folder, self.person = slipway, folder, person
        self.remote = f"http://{person}:{slipway.token}@127.0.0.1:{slipway.port}/git/{repository}.git"
        self.env = {**os.environ, "GIT_AUTHOR_NAME": person, "GIT_AUTHOR_EMAIL": f"{person}@example.com", "GIT_COMMITTER_NAME": person,
                    "GIT_COMMITTER_EMAIL": f"{person}@example.com", "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_TERMINAL_PROMPT": "0"}

    def git(self, *arguments, check=True):
        result = subprocess.run(["git", "-C", self.folder, *arguments], capture_output=True, text=True, env=self.env)
        if check and result.returncode != 0:
            raise RuntimeError(f"git {' '.join(arguments)}: {result.stdout}{result.stderr}")
        return result

    def init(self):
        self.git("init", "-q", "-b", "main")
        self.git("remote", "add", "origin", self.remote)
        return self

    def commit(self, message):
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message)
        return self.git("rev-parse", "HEAD").stdout.strip()

    def push(self, *arguments, check=True):
        return self.git("push", "origin", *arguments, check=check)

    def update(self):
        self.git("fetch", "-q", "origin", "main")
        self.git("reset", "-q", "--hard", "origin/main")
        return self.git("rev-parse", "HEAD").stdout.strip()

    def read(self, path):
        with open(os.path.join(self.folder, path)) as file:
            return file.read()

    def write(self, path, text):
        full = os.path.join(self.folder, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w") as file:
            file.write(text)


class Load:
    """People who use a service: a steady stream of requests through the gateway; what they saw is counted."""

    def __init__(self, slipway, host, path, per_second=60):
        self.slipway, self.host, self.path, self.pause = slipway, host, path, 1 / per_second
        self.lock, self.done = threading.Lock(), threading.Event()
        self.seen = []  # (time, status)
        self.threads = [threading.Thread(target=self._run, daemon=True) for _ in range(3)]
        for thread in self.threads:
            thread.start()

    def _run(self):
        while not self.done.wait(self.pause * len(self.threads)):
            status, _ = self.slipway.ask(self.host, self.path, timeout=3)
            with self.lock:
                self.seen.append((time.monotonic(), status))

    def stop(self):
        self.done.set()
        for thread in self.threads:
            thread.join()

    def failed_share(self, since):
        with self.lock:
            recent = [status for at, status in self.seen if at >= since]
        return (sum(1 for s in recent if s != 200) / len(recent) if recent else 0.0), len(recent)


def basic(user, token):
    return "Basic " + base64.b64encode(f"{user}:{token}".encode()).decode()


def scratch():
    return tempfile.mkdtemp(prefix="slipway-demo.")
