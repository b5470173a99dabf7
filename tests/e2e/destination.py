"""Where Applications go: the cluster that SLIPWAY_E2E_KUBECONFIG names, by an Argo CD cluster Secret, or else the embedded one.

What lies there is read by requests of this file's own and changed by stock kubectl, so that the judge is not the judged.
"""
import http.client
import json
import os
import ssl
import threading

import harness
from harness import ENV, House, Timeout, check, get_path, need, need_root, run, until

REAL = os.environ.get("SLIPWAY_E2E_KUBECONFIG")
ARGO = "argocd"
LONG = 90 if REAL else 30  # seconds that something may take
TRACKING = "argocd.argoproj.io/tracking-id"


def start():
    """A house, and the destination described in it."""
    need("kubectl", "git")
    house = House()
    if REAL:
        # Nodes pull from its registry.
        house.extra = ["--listen", os.environ["SLIPWAY_E2E_LISTEN"]]
    house.start()
    try:
        house.there = Destination(house)
    except BaseException:
        house.close()
        raise
    return house


def image(house):
    """An image with busybox alone, as the destination's nodes know it."""
    need_root()
    name = house.push_busybox() if not house.there.pushed else house.there.pushed
    if REAL and not house.there.pushed:
        # What a node's containerd keeps a Pod's namespaces with; its configuration names this registry.
        layer, config = harness.bases.busybox()
        config = {**config, "Cmd": None, "Entrypoint": ["/bin/busybox", "sleep", "2147483647"]}
        harness.bases.push(house.url, harness.basic("admin", house.token), "pause", "1", layer, config)
        name = name.replace("registry.slipway.local", os.environ["SLIPWAY_E2E_REGISTRY"])
    house.there.pushed = name
    return name


class Destination:
    def __init__(self, house):
        self.house, self.pushed, self.kinds, self.held = house, None, {}, None
        self.kubeconfig = REAL or house.kubeconfig
        config = json.loads(run("kubectl", "config", "view", "--raw", "-o", "json", "--kubeconfig", self.kubeconfig).stdout)
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        self.address, self.token = cluster["server"], user["token"] if REAL else house.token
        self.tls = house.tls if not REAL else ssl._create_unverified_context()
        self.app = {"server": self.address if REAL else "https://kubernetes.default.svc"}
        if REAL:
            self.sign_in = json.dumps({"bearerToken": self.token, "tlsClientConfig": {"insecure": True}})
            house.kubectl("apply", "-f", "-", input=json.dumps({
                "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "cluster-real", "namespace": ARGO, "labels": {"argocd.argoproj.io/secret-type": "cluster"}},
                "stringData": {"name": "real", "server": self.address, "config": self.sign_in}}))
        self.version = self.ask("/version")["gitVersion"]

    def connect(self, timeout):
        host, port = self.address.removeprefix("https://").rsplit(":", 1)
        return http.client.HTTPSConnection("127.0.0.1" if not REAL else host, int(port), timeout=timeout, context=self.tls)

    def ask(self, path):
        """The document at a path, or None."""
        for last in (False, True):
            try:
                self.held = self.held or self.connect(20)
                self.held.request("GET", path, headers={"Authorization": f"Bearer {self.token}", "Accept": "application/json"})
                answer = self.held.getresponse()
                text = answer.read()
            except (OSError, http.client.HTTPException):
                self.held = None  # it was restarted
                if last:
                    raise
                continue
            check(answer.status in (200, 404), f"{path}: {answer.status} {text[:500]}")
            return json.loads(text) if answer.status == 200 else None

    def learn(self):
        versions = ["/api/v1"]
        for group in self.ask("/apis")["groups"]:
            versions += [f"/apis/{v['groupVersion']}" for v in [group["preferredVersion"], *group["versions"]]]
        for version in versions:
            for r in (self.ask(version) or {}).get("resources", []):
                if "/" not in r["name"]:
                    self.kinds.setdefault(r["kind"], (version, r["name"], r["namespaced"]))

    def api_version(self, kind):
        """The version that the cluster prefers, or None where it knows no such kind."""
        if kind not in self.kinds:
            self.learn()
        found = self.kinds.get(kind)
        return found and found[0].removeprefix("/apis/").removeprefix("/api/")

    def minor(self):
        return int(self.version.split(".")[1])

    def path(self, kind, ns):
        check(self.api_version(kind), f"no {kind} in {self.version}")
        prefix, plural, namespaced = self.kinds[kind]
        return prefix + (f"/namespaces/{ns}" if namespaced and ns else "") + f"/{plural}"

    def get(self, kind, name, ns=""):
        return self.ask(f"{self.path(kind, ns)}/{name}")

    def list(self, kind, ns, selector=""):
        return self.ask(self.path(kind, ns) + (f"?labelSelector={selector}" if selector else ""))["items"]

    def kubectl(self, *argv, check_it=True, **more):
        result = run("kubectl", "--kubeconfig", self.kubeconfig, *argv, env={**ENV, "HOME": self.house.root}, **more)
        if check_it:
            check(result.returncode == 0, f"kubectl {' '.join(argv)}: exit {result.returncode}\n{result.all}")
        return result

    def apply(self, *objects, ns=None, flags=()):
        return self.kubectl("apply", *(["-n", ns] if ns else []), *flags, "-f", "-", input=json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)}))


class Record:
    """What happens to kinds in a namespace, in the order that the cluster itself gave it."""

    def __init__(self, there, ns, *kinds):
        self.there, self.ns, self.kinds = there, ns, kinds
        self.events, self.more, self.ended = [], threading.Condition(), False
        self.connections = []

    def __enter__(self):
        for kind in self.kinds:
            path = self.there.path(kind, self.ns)
            version = self.there.ask(path)["metadata"]["resourceVersion"]
            connection = self.there.connect(300)
            connection.request("GET", f"{path}?watch=true&resourceVersion={version}", headers={"Authorization": f"Bearer {self.there.token}"})
            self.connections.append(connection)
            threading.Thread(target=self.read, args=(connection.getresponse(),), daemon=True).start()
        return self

    def read(self, answer):
        try:
            for line in answer:
                event = json.loads(line)
                o = event["object"]
                if event["type"] in ("ADDED", "MODIFIED", "DELETED"):
                    with self.more:
                        self.events.append((int(o["metadata"]["resourceVersion"]), event["type"], o["kind"], o["metadata"]["name"], o))
                        self.more.notify_all()
        except (OSError, ValueError, AttributeError, http.client.HTTPException):
            check(self.ended, "a watch ended")

    def __exit__(self, *_):
        self.ended = True
        for connection in self.connections:
            connection.sock and connection.sock.close()

    def when(self, kind, name, what="ADDED", test=lambda o: True):
        """The cluster's version at which this happened."""
        def found():
            return next((version for version, type, k, n, o in self.events if (type, k, n) == (what, kind, name) and test(o)), None)
        with self.more:
            if not self.more.wait_for(found, LONG):
                raise Timeout(f"{what} {kind} {name}; was: {[e[:4] for e in sorted(self.events, key=lambda e: e[0])]}")
            return found()


def completed(job):
    return any(c["type"] == "Complete" and c["status"] == "True" for c in get_path(job, "status", "conditions") or [])


class App:
    """An Application, its repository, and a namespace of the same name where it goes."""

    def __init__(self, house, name, namespace=True):
        self.house, self.there, self.name = house, house.there, name
        self.config = house.git(name)
        self.config.write("app/README.md", "what runs\n")
        if namespace:
            self.there.kubectl("create", "namespace", name)

    def push(self, where="app", **files):
        """Objects, texts, or None for what is to go."""
        for path, content in files.items():
            if content is None:
                self.config.git("rm", "-q", f"{where}/{path}.yaml")
            else:
                self.config.write(f"{where}/{path}.yaml", content if isinstance(content, str) else json.dumps(content, indent=1) + "\n")
        commit = self.config.commit("Change")
        self.config.push("HEAD:main")
        return commit

    def create(self, options=(), policy=None, finalizer="resources-finalizer.argocd.argoproj.io", path="app", **spec):
        policy = {"automated": {"prune": True, "selfHeal": True}, "syncOptions": list(options), "retry": {"limit": 0}} | (policy or {})
        self.house.kubectl("apply", "-f", "-", input=json.dumps({
            "apiVersion": "argoproj.io/v1alpha1", "kind": "Application",
            "metadata": {"name": self.name, "namespace": ARGO, "finalizers": [finalizer] if finalizer else []},
            "spec": {"project": "default", "source": {"repoURL": f"http://slipway/git/{self.name}.git", "path": path, "targetRevision": "main"},
                     "destination": {**self.there.app, "namespace": self.name}, "syncPolicy": policy, **spec}}))
        return self

    def now(self):
        return self.house.get("Application", self.name, ARGO)

    def until(self, test, what, seconds=LONG):
        def found(applications):
            o = next((o for o in applications if o["metadata"]["name"] == self.name), None)
            return o and test(o) and o
        try:
            return self.house.wait("Application", found, what, ns=ARGO, seconds=seconds)
        except Timeout as late:
            raise Timeout(f"{late}\n{json.dumps((self.now() or {}).get('status'))[:4000]}") from late

    def synced(self, commit=None, health="Healthy"):
        def test(o):
            s = o.get("status") or {}
            return (get_path(s, "sync", "status") == "Synced" and get_path(s, "operationState", "phase") == "Succeeded" and not s.get("conditions")
                    and (health is None or get_path(s, "health", "status") == health) and (commit is None or s["operationState"]["syncResult"]["revision"] == commit))
        return self.until(test, f"{self.name} is Synced, {health}")

    def failed(self, *words):
        return self.until(lambda o: get_path(o, "status", "operationState", "phase") == "Failed" and all(w in o["status"]["operationState"]["message"] for w in words), f"{self.name} has failed: {words}")

    def condition(self, type, *words):
        return self.until(lambda o: any(c["type"] == type and all(w in c["message"] for w in words) for c in get_path(o, "status", "conditions") or []), f"{self.name} has {type} {words}")

    def resource(self, name):
        return next((r for r in get_path(self.now(), "status", "resources") or [] if r["name"] == name), None)

    def get(self, kind, name):
        return self.there.get(kind, name, self.name)

    def value(self, name, key="v"):
        return get_path(self.get("ConfigMap", name) or {}, "data", key)

    def until_value(self, name, want, key="v"):
        return until(lambda: self.value(name, key) == want, f"{self.name}/{name}: {key} is {want}", LONG)

    def patch(self, kind, name, patch, *flags):
        return self.there.kubectl("patch", kind, name, "-n", self.name, "--type=merge", "-p", json.dumps(patch), *flags)

    def delete(self, wait=True):
        self.house.kubectl("delete", "application", self.name, "-n", ARGO, f"--wait={str(wait).lower()}", f"--timeout={LONG}s", timeout=LONG + 5)

    def refresh(self):
        """Everything is rendered and compared anew, and that is over."""
        self.house.kubectl("annotate", "application", self.name, "-n", ARGO, "--overwrite", "argocd.argoproj.io/refresh=hard")
        return self.until(lambda o: "argocd.argoproj.io/refresh" not in (o["metadata"].get("annotations") or {}), "a hard refresh")


# -- objects, as people write them ------------------------------------------------------------------------------------
def named(kind, name, wave=None, hook=None, delete=None, options=None, version="v1", **more):
    notes = {"sync-wave": wave if wave is None else str(wave), "hook": hook, "hook-delete-policy": delete, "sync-options": options}
    notes = {f"argocd.argoproj.io/{key}": value for key, value in notes.items() if value is not None}
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, **({"annotations": notes} if notes else {})}, **more}


def config_map(name, v="1", **notes):
    return named("ConfigMap", name, data={"v": v}, **notes)


def pod_spec(picture, *command, **more):
    return {"terminationGracePeriodSeconds": 0, "containers": [{"name": "c", "image": picture, "command": ["busybox", *command]} | more]}


def deployment(name, picture=None, replicas=1, notes=None, **container):
    """Without a picture no node takes its Pods."""
    pod = pod_spec(picture or "none:1", "sleep", "1000000", **container) | ({} if picture else {"nodeSelector": {"no": "such"}})
    spec = {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": {"metadata": {"labels": {"app": name}}, "spec": pod}}
    return named("Deployment", name, version="apps/v1", spec=spec, **(notes or {}))


def job(name, picture, *command, **notes):
    spec = {"backoffLimit": 0, "template": {"spec": {"restartPolicy": "Never", **pod_spec(picture, *command)}}}
    return named("Job", name, version="batch/v1", spec=spec, **notes)


def definition(group, kind, plural, **notes):
    """A custom resource of any shape, with a status of its own."""
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    spec = {"group": group, "scope": "Namespaced", "names": {"kind": kind, "plural": plural, "singular": kind.lower(), "listKind": kind + "List"},
            "versions": [{"name": "v1", "served": True, "storage": True, "subresources": {"status": {}}, "schema": {"openAPIV3Schema": schema}}]}
    return named("CustomResourceDefinition", f"{plural}.{group}", version="apiextensions.k8s.io/v1", spec=spec, **notes)
