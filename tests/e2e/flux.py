"""Flux's objects as a Flux user brings them, with stock kubectl: sources, Kustomizations, dependencies, variables, sealed secrets."""
import base64
import json

from harness import House, check, folder, get_path, main, need, run, slipway, until, write

NS = "flux-system"


def condition(o, kind):
    return next((c for c in get_path(o, "status", "conditions") or [] if c["type"] == kind), {})


def ready(o):
    c = condition(o, "Ready")
    return f"{c.get('status')} {c.get('reason')}: {c.get('message')}"


class Flux:
    def __init__(self, house, name):
        self.house, self.name = house, name
        self.config = house.git(name)
        for ns in (NS, name):
            house.kubectl("create", "namespace", ns, check_it=False)

    def push(self, **files):
        for path, text in files.items():
            self.config.write(path.replace("__", "/") + ".yaml", text)
        commit = self.config.commit("Change")
        self.config.push("HEAD:main")
        return commit

    def source(self):
        self.house.kubectl("apply", "-f", "-", input=json.dumps({
            "apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "GitRepository", "metadata": {"name": self.name, "namespace": NS},
            "spec": {"interval": "1m", "url": f"http://slipway/git/{self.name}.git", "ref": {"branch": "main"}}}))

    def kustomization(self, name, **spec):
        spec = {"interval": "10m", "retryInterval": "1s", "prune": True, "targetNamespace": self.name,
                "sourceRef": {"kind": "GitRepository", "name": self.name}, **spec}
        self.house.kubectl("apply", "-f", "-", input=json.dumps({
            "apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization", "metadata": {"name": name, "namespace": NS}, "spec": spec}))

    def get(self, kind, name, ns=None):
        result = self.house.kubectl("get", kind, name, "-n", ns or self.name, "-o", "json", check_it=False)
        return json.loads(result.stdout) if result.returncode == 0 else None

    def until_ready(self, name, want="True ", what=None):
        return until(lambda: (o := self.get("ks", name, NS)) and ready(o).startswith(want) and o, what or f"{name}: Ready {want}")

    def value(self, name, key="v"):
        return get_path(self.get("configmap", name) or {}, "data", key)


def config_map(name, value):
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{v: '{value}'}}\n"


def test_a_commit_becomes_what_runs_and_edits_are_undone(house: House):
    need("kubectl", "git")
    flux = Flux(house, "plain")
    first = flux.push(app__a=config_map("a", 1), app__deep__b=config_map("b", 1))
    flux.source()
    flux.kustomization("plain", path="./app")
    o = flux.until_ready("plain")
    check(ready(o) == f"True ReconciliationSucceeded: Applied revision: main@sha1:{first}", ready(o))
    check(o["status"]["lastAppliedRevision"] == f"main@sha1:{first}", o["status"])
    check({e["id"] for e in o["status"]["inventory"]["entries"]} == {"plain_a__ConfigMap", "plain_b__ConfigMap"}, o["status"])
    shown = house.kubectl("get", "ks", "-n", NS, "plain").stdout.split("\n")
    check(shown[0].split() == ["NAME", "AGE", "READY", "STATUS"], shown)
    check(f"True    Applied revision: main@sha1:{first}" in shown[1], shown)
    source = house.kubectl("get", "gitrepo", "-n", NS, "plain").stdout
    check(f"stored artifact for revision 'main@sha1:{first}'" in source, source)
    check(house.kubectl("wait", "ks/plain", "-n", NS, "--for=condition=Ready", "--timeout=10s").returncode == 0, "kubectl wait")
    house.kubectl("patch", "configmap", "a", "-n", "plain", "--type=merge", "-p", '{"data":{"v":"by hand"}}')
    until(lambda: flux.value("a") == "1", "the edit is undone")
    flux.config.git("rm", "-q", "app/deep/b.yaml")
    second = flux.push(app__a=config_map("a", 2))
    until(lambda: flux.value("a") == "2", "the second commit")
    until(lambda: flux.get("configmap", "b") is None, "what Git dropped goes")
    until(lambda: flux.get("ks", "plain", NS)["status"]["lastAppliedRevision"] == f"main@sha1:{second}", "the revision")
    # flux reconcile, suspend and resume are these.
    house.kubectl("annotate", "ks", "plain", "-n", NS, "reconcile.fluxcd.io/requestedAt=once")
    until(lambda: flux.get("ks", "plain", NS)["status"].get("lastHandledReconcileAt") == "once", "the request is answered")
    house.kubectl("patch", "ks", "plain", "-n", NS, "--type=merge", "-p", '{"spec":{"suspend":true}}')
    house.kubectl("patch", "configmap", "a", "-n", "plain", "--type=merge", "-p", '{"data":{"v":"kept"}}')
    flux.push(app__c=config_map("c", 1))
    until(lambda: flux.get("gitrepo", "plain", NS)["status"]["artifact"]["revision"] != f"main@sha1:{second}", "the source moves on")
    check(flux.value("a") == "kept" and flux.get("configmap", "c") is None, "nothing is done while it is suspended")
    house.kubectl("patch", "ks", "plain", "-n", NS, "--type=merge", "-p", '{"spec":{"suspend":false}}')
    until(lambda: flux.value("a") == "2" and flux.value("c") == "1", "it goes on")
    house.kubectl("delete", "ks", "plain", "-n", NS, "--timeout=20s")
    check(flux.get("configmap", "a") is None, "what it brought goes with it")


def test_dependencies_patches_and_variables(house: House):
    need("kubectl", "git")
    flux = Flux(house, "layers")
    flux.push(base__a=config_map("a", "${place:=nowhere}"), app__b=config_map("b", "x"))
    house.kubectl("apply", "-n", NS, "-f", "-", input=config_map("vars", "x").replace("{v: 'x'}", "{place: here}"))
    flux.source()
    flux.kustomization("app", path="app", dependsOn=[{"name": "base"}],
                       patches=[{"target": {"kind": "ConfigMap"}, "patch": "- {op: replace, path: /data/v, value: patched}"}])
    o = flux.until_ready("app", "False DependencyNotReady")
    check("dependency 'flux-system/base' is not there" in ready(o), ready(o))
    flux.kustomization("base", path="base", postBuild={"substituteFrom": [{"kind": "ConfigMap", "name": "vars"}]})
    flux.until_ready("app")
    check(flux.value("a") == "here" and flux.value("b") == "patched", (flux.value("a"), flux.value("b")))


WIDGETS = """apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.flux.example.org}
spec:
  group: flux.example.org
  scope: Namespaced
  names: {kind: Widget, plural: widgets}
  versions:
  - {name: v1, served: true, storage: true, subresources: {status: {}}, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}
"""


def test_expressions_say_what_is_healthy_and_ready(house: House):
    need("kubectl", "git")
    flux = Flux(house, "said")
    flux.push(base__crd=WIDGETS, base__w="apiVersion: flux.example.org/v1\nkind: Widget\nmetadata: {name: w}\n", app__b=config_map("b", "x"))
    flux.source()
    widget = {"apiVersion": "flux.example.org/v1", "kind": "Widget", "current": "has(status.phase)"}
    flux.kustomization("said-base", path="base", wait=True, healthCheckExprs=[{**widget, "inProgress": "status.phase = 1"}])
    o = flux.until_ready("said-base", "False InvalidCELExpression")
    check(".spec.healthCheckExprs[0].inProgress:1:14: " in ready(o) and condition(o, "Stalled").get("reason") == "InvalidCELExpression", ready(o))
    widget |= {"inProgress": "!has(metadata.uid)", "failed": "has(status.phase) && status.phase == 'Broken'",
               "current": "status.phase == 'Made'"}
    flux.kustomization("said-base", path="base", wait=True, healthCheckExprs=[widget])
    flux.kustomization("said-app", path="app", dependsOn=[{
        "name": "said-base", "readyExpr": "dep.metadata.?labels.version.orValue('') == self.metadata.?labels.version.orValue('') && "
                                          "dep.status.conditions.exists(c, c.type == 'Ready' && c.status == 'True')"}])
    flux.until_ready("said-base", "Unknown Progressing")
    flux.until_ready("said-app", "False DependencyNotReady")
    status = ["patch", "widget", "w", "-n", "said", "--type=merge", "--subresource=status", "-p"]
    house.kubectl(*status, '{"status":{"phase":"Broken"}}')
    flux.until_ready("said-base", "False HealthCheckFailed")
    house.kubectl(*status, '{"status":{"phase":"Made"}}')
    flux.until_ready("said-base")
    flux.until_ready("said-app")
    check(flux.value("b") == "x", flux.value("b"))
    # A label of either is enough to ask again.
    house.kubectl("label", "ks", "said-base", "-n", NS, "version=2")
    flux.until_ready("said-app", "False DependencyNotReady")
    house.kubectl("label", "ks", "said-app", "-n", NS, "version=2")
    flux.until_ready("said-app")


def test_secrets_sealed_in_git(house: House):
    need("kubectl", "git")
    flux = Flux(house, "sealed")
    made = house.cli("secret", "new-key", "--namespace", NS)
    check(made.returncode == 0, made.all)
    recipient = made.stdout.strip()
    check(recipient.startswith("age1"), made.all)
    root = folder()
    plain = write(root, "db.yaml", "# the database\napiVersion: v1\nkind: Secret\nmetadata:\n  name: db\nstringData:\n  password: open sesame\n")
    sealed = slipway("secret", "seal", "--age", recipient, plain)
    check(sealed.returncode == 0 and "sesame" not in sealed.stdout and "# the database" in sealed.stdout, sealed.all)
    flux.push(app__db=sealed.stdout)
    flux.source()
    flux.kustomization("sealed", path="app", decryption={"provider": "sops", "secretRef": {"name": "sops-age"}})
    flux.until_ready("sealed")
    data = flux.get("secret", "db")["data"]
    check(base64.b64decode(data["password"]) == b"open sesame", data)
    # A value that is moved or changed by hand does not open, and what runs stays.
    flux.push(app__db=sealed.stdout.replace("name: db", "name: other"))
    o = flux.until_ready("sealed", "False BuildFailed")
    check("MAC does not fit" in ready(o), ready(o))
    check(flux.get("secret", "db") is not None, "nothing is pruned by what cannot be read")
    # The backup opens it at a desk; the running slipway's keys as well.
    backup = house.cli("secret", "export-keys", "--namespace", NS)
    keys = write(root, "keys.txt", backup.stdout)
    file = write(root, "sealed.yaml", sealed.stdout)
    check("open sesame" in slipway("secret", "unseal", "--key-file", keys, file).stdout, backup.all)
    check("open sesame" in house.cli("secret", "unseal", "--server", file).stdout, "--server")
    checked = slipway("secret", "check", "--key-file", keys, root)
    check(checked.returncode == 1 and "db.yaml:7:3" in checked.stdout and "sealed.yaml" not in checked.stdout, checked.all)
    with open(house.log, errors="replace") as log:
        check("sesame" not in log.read(), "plaintext in the log")


def test_helm_is_said_not_to_be_there(house: House):
    need("kubectl")
    house.kubectl("create", "namespace", NS, check_it=False)
    house.kubectl("apply", "-f", "-", input=json.dumps({
        "apiVersion": "helm.toolkit.fluxcd.io/v2", "kind": "HelmRelease", "metadata": {"name": "h", "namespace": NS},
        "spec": {"interval": "1m", "chart": {"spec": {"chart": "x", "sourceRef": {"kind": "HelmRepository", "name": "x"}}}}}))
    until(lambda: "Helm charts are not rendered" in house.kubectl("get", "hr", "h", "-n", NS).stdout, "the condition")


if __name__ == "__main__":
    main(globals())
