"""Applications on a second cluster, with stock kubectl as the judge on both: cluster Secrets as `argocd cluster add` makes them, drift there,
a Secret that goes, a cluster that dies, a hub that is killed; impersonation; Flux's kubeConfig."""
import atexit
import base64
import json

from harness import House, check, get_path, main, need, until

ARGO = "argocd"
WEST = None


def west():
    """The second cluster, one for all tests; it keeps its port when it comes back."""
    global WEST
    if WEST is None:
        WEST = House()
        WEST.start()
        atexit.register(WEST.close)
        WEST.kubectl("create", "serviceaccount", "argocd-manager", "-n", "kube-system")
        WEST.kubectl("create", "clusterrolebinding", "argocd-manager", "--clusterrole=cluster-admin", "--serviceaccount=kube-system:argocd-manager")
    return WEST


def authority():
    with open(f"{west().data}/pki/ca.crt") as file:
        return base64.b64encode(file.read().encode()).decode()


def address():
    return f"https://127.0.0.1:{west().port}"


def describe(house, name="west", **data):
    token = west().kubectl("create", "token", "argocd-manager", "-n", "kube-system", "--duration=1h").stdout.strip()
    config = {"bearerToken": token, "tlsClientConfig": {"insecure": False, "caData": authority()}}
    data = {"name": name, "server": address(), "config": json.dumps(config), **data}
    house.kubectl("apply", "-f", "-", input=json.dumps({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": f"cluster-{name}", "namespace": ARGO, "labels": {"argocd.argoproj.io/secret-type": "cluster"}},
        "stringData": data}))


def forget(house, name="west"):
    house.kubectl("delete", "secret", f"cluster-{name}", "-n", ARGO)


class App:
    def __init__(self, house, name, destination=None, where=None, **more):
        self.house, self.name, self.where = house, name, where or west()
        self.config = house.git(name)
        self.where.kubectl("create", "namespace", name, check_it=False)
        self.destination = {**(destination or {"name": "west"}), "namespace": name}
        self.more = more

    def push(self, **files):
        for path, text in files.items():
            if text is None:
                self.config.git("rm", "-q", f"app/{path}.yaml")
            else:
                self.config.write(f"app/{path}.yaml", text)
        commit = self.config.commit("Change")
        self.config.push("HEAD:main")
        return commit

    def create(self, annotations=None, **spec):
        self.house.kubectl("apply", "-f", "-", input=json.dumps({
            "apiVersion": "argoproj.io/v1alpha1", "kind": "Application",
            "metadata": {"name": self.name, "namespace": ARGO, "annotations": annotations or {}, "finalizers": ["resources-finalizer.argocd.argoproj.io/background"]},
            "spec": {"project": "default", "source": {"repoURL": f"http://slipway/git/{self.name}.git", "path": "app", "targetRevision": "main"},
                     "destination": self.destination, "syncPolicy": {"automated": {"prune": True, "selfHeal": True}, "retry": {"limit": -1, "backoff": {"duration": "1s", "maxDuration": "2s"}}},
                     **self.more, **spec}}))
        return self

    def get(self):
        result = self.house.kubectl("get", "application", self.name, "-n", ARGO, "-o", "json", check_it=False)
        return json.loads(result.stdout) if result.returncode == 0 else None

    def until(self, sync, *words, seconds=30):
        def test():
            o = self.get() or {}
            conditions = json.dumps(get_path(o, "status", "conditions") or [])
            return get_path(o, "status", "sync", "status") == sync and (all(w in conditions for w in words) if words else conditions == "[]") and o
        return until(test, f"{self.name}: {sync} {words}, is {json.dumps((self.get() or {}).get('status'))[:1500]}", seconds)

    def there(self, name, kind="configmap"):
        """The object where it is to be, or None."""
        result = self.where.kubectl("get", kind, name, "-n", self.name, "-o", "json", check_it=False)
        return json.loads(result.stdout) if result.returncode == 0 else None

    def value(self, name):
        return get_path(self.there(name) or {}, "data", "v")


def config_map(name, value, wave=0):
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n  annotations: {{argocd.argoproj.io/sync-wave: '{wave}'}}\ndata: {{v: '{value}'}}\n"


def test_a_secret_brings_a_second_cluster(house: House):
    need("kubectl", "git")
    app = App(house, "shop").create()
    app.push(a=config_map("a", 1), b=config_map("b", 1))
    app.until("Unknown", "InvalidSpecError", 'there is no cluster named \\"west\\"')
    describe(house)
    app.until("Synced")
    check(app.value("a") == "1" and house.kubectl("get", "namespace", "shop", check_it=False).returncode != 0, "on the other cluster alone")
    check(app.there("a")["metadata"]["annotations"]["argocd.argoproj.io/tracking-id"] == "shop:/ConfigMap:shop/a", app.there("a"))
    # What people do there is put right, at once.
    west().kubectl("patch", "configmap", "a", "-n", "shop", "--type=merge", "-p", '{"data":{"v":"by hand"}}')
    until(lambda: app.value("a") == "1", "the edit is undone")
    west().kubectl("delete", "configmap", "b", "-n", "shop")
    until(lambda: app.value("b") == "1", "the object is back")
    # The commands know where it goes.
    app.until("Synced")
    shown = next(line.split() for line in house.cli("app", "list").stdout.split("\n") if line.startswith("shop "))
    check(shown[4:6] == ["west", "shop"], shown)
    check("to: west namespace shop" in house.cli("app", "get", "shop").stdout, "app get")
    same = house.cli("app", "diff", "shop")
    check(same.returncode == 0 and f"compared with cluster west ({address()})" in same.all, same.all)
    house.kubectl("patch", "application", "shop", "-n", ARGO, "--type=json", "-p", '[{"op":"remove","path":"/spec/syncPolicy/automated"}]')
    app.push(a=config_map("a", 2), b=None)
    app.until("OutOfSync")
    other = house.cli("app", "diff", "shop")
    check(other.returncode == 1 and "--- west//ConfigMap:shop/a" in other.stdout and "+  v: '2'" in other.stdout.replace('"', "'"), other.all)
    done = house.cli("app", "sync", "shop", "--prune", "--timeout", "20s")
    check(done.returncode == 0, done.all)
    check(app.value("a") == "2" and app.there("b") is None, "pruned there")
    # A project says which clusters it may use, by name or by address.
    for entry, fine in (({"name": "!west", "namespace": "*"}, False), ({"server": address(), "namespace": "shop"}, True)):
        rest = [] if fine else [{"server": "*", "namespace": "*"}]
        house.kubectl("apply", "-f", "-", input=json.dumps({"apiVersion": "argoproj.io/v1alpha1", "kind": "AppProject", "metadata": {"name": "team", "namespace": ARGO},
                                                            "spec": {"sourceRepos": ["*"], "destinations": rest + [entry], "clusterResourceWhitelist": []}}))
        house.kubectl("patch", "application", "shop", "-n", ARGO, "--type=merge", "-p", '{"spec":{"project":"team"},"metadata":{"annotations":{"argocd.argoproj.io/refresh":"normal"}}}')
        app.until("Synced") if fine else app.until("Unknown", f"of cluster west ({address()}) is not permitted in project 'team'")
    house.kubectl("delete", "application", "shop", "-n", ARGO, "--timeout=20s")
    check(app.there("a") is None, "what it brought goes with it")


def test_without_its_secret_nothing_is_pruned(house: House):
    need("kubectl", "git")
    describe(house)
    app = App(house, "lost", {"server": address()}).create()
    app.push(a=config_map("a", 1), b=config_map("b", 1))
    before = app.until("Synced")
    forget(house)
    after = app.until("Unknown", f"there is no cluster {address()}")
    check(after["status"]["inventory"] == before["status"]["inventory"], after["status"])
    app.push(a=config_map("a", 2), b=None)
    # Whatever the hub remembered is gone as well.
    house.kill()
    house.start()
    app.until("Unknown", f"there is no cluster {address()}")
    check(app.value("a") == "1" and app.value("b") == "1", "everything stays as it was")
    # Credentials that are refused, that need a program, and then the right ones: each counts at once.
    describe(house, config=json.dumps({"bearerToken": "wrong", "tlsClientConfig": {"caData": authority()}}))
    app.until("Unknown", "ComparisonError", "cannot be used now", "Unauthorized")
    describe(house, config=json.dumps({"execProviderConfig": {"command": "touch", "args": ["/tmp/never"]}}))
    app.until("Unknown", "InvalidSpecError", "sign-in by the program touch: it is not one of those that may run")
    describe(house)
    app.until("Synced")
    check(app.value("a") == "2" and app.there("b") is None, "and on it goes")


def test_signing_in_by_a_token_that_lasts(house: House):
    """As `argocd cluster add` does it: an account there, and a Secret that its token comes into."""
    need("kubectl", "git")
    there = west()
    there.kubectl("create", "serviceaccount", "argocd-manager", "-n", "kube-system", check_it=False)
    there.kubectl("create", "clusterrolebinding", "argocd-manager", "--clusterrole=cluster-admin", "--serviceaccount=kube-system:argocd-manager", check_it=False)
    there.kubectl("apply", "-f", "-", input=json.dumps({
        "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/service-account-token",
        "metadata": {"name": "argocd-manager-token", "namespace": "kube-system", "annotations": {"kubernetes.io/service-account.name": "argocd-manager"}}}))

    def token():
        return there.kubectl("get", "secret", "argocd-manager-token", "-n", "kube-system", "-o", "jsonpath={.data.token}").stdout
    until(token, "the token comes")
    describe(house, config=json.dumps({"bearerToken": base64.b64decode(token()).decode(), "tlsClientConfig": {"caData": authority()}}))
    app = App(house, "lasting").create()
    app.push(a=config_map("a", 1))
    app.until("Synced")
    check(app.value("a") == "1", "it is there")
    describe(house)


def test_a_dead_cluster_holds_up_nobody(house: House):
    need("kubectl", "git")
    describe(house)
    far = App(house, "far").create()
    far.push(a=config_map("a", 1), b=config_map("b", 1))
    near = App(house, "near", {"server": "https://kubernetes.default.svc"}, where=house).create()
    near.push(a=config_map("a", 1))
    far.until("Synced"), near.until("Synced")
    west().kill()
    far.until("Unknown", "ComparisonError", f"cluster west ({address()}) cannot be used now")
    far.push(a=config_map("a", 2), b=None)
    near.push(a=config_map("a", 2))
    until(lambda: near.value("a") == "2", "the other one goes on")
    near.until("Synced")
    west().start()
    far.until("Synced")
    check(far.value("a") == "2" and far.there("b") is None, "it catches up")
    # Its watches are there again too.
    west().kubectl("delete", "configmap", "a", "-n", "far")
    until(lambda: far.value("a") == "2", "healed")


def test_a_hub_killed_in_the_middle_forgets_nothing(house: House):
    need("kubectl", "git")
    describe(house)
    app = App(house, "middle").create()
    stuck = "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: stuck\n  annotations: {argocd.argoproj.io/sync-wave: '1'}\nspec:\n  replicas: 1\n  selector: {matchLabels: {a: b}}\n" \
            "  template: {metadata: {labels: {a: b}}, spec: {nodeSelector: {no: such}, containers: [{name: c, image: 'none:1'}]}}\n"
    app.push(a=config_map("a", 1), stuck=stuck, z=config_map("z", 1, wave=2))
    until(lambda: "waiting for healthy state of Deployment/stuck" in (get_path(app.get() or {}, "status", "operationState", "message") or ""), "the first waves are there")
    uid = app.there("a")["metadata"]["uid"]
    house.kill()
    house.start()
    until(lambda: get_path(app.get() or {}, "status", "operationState", "phase") == "Running", "it goes on")
    app.push(a=None, stuck=None, b=config_map("b", 1))
    app.until("Synced")
    check(app.there("a") is None and app.there("stuck", "deployment") is None, "what the killed one had made is accounted for")
    check(app.value("z") == "1" and app.value("b") == "1" and uid, "and the rest is there")


def test_a_project_deploys_as_an_account_of_the_cluster(house: House):
    need("kubectl", "git")
    describe(house)
    app = App(house, "acting", project="acting")
    house.kubectl("apply", "-f", "-", input=json.dumps({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "AppProject", "metadata": {"name": "acting", "namespace": ARGO},
        "spec": {"sourceRepos": ["*"], "destinations": [{"name": "west", "namespace": "*"}],
                 "destinationServiceAccounts": [{"server": "https://127.0.0.1:*", "namespace": "act*", "defaultServiceAccount": "deployer"}]}}))
    west().kubectl("create", "serviceaccount", "deployer", "-n", "acting")
    app.push(a=config_map("a", 1))
    app.create()
    until(lambda: 'User \\"system:serviceaccount:acting:deployer\\" cannot patch' in json.dumps((app.get() or {}).get("status", {}).get("operationState")), "it may nothing yet")
    check(app.there("a") is None, "and nothing is done")
    west().kubectl("create", "rolebinding", "deployer", "-n", "acting", "--clusterrole=edit", "--serviceaccount=acting:deployer")
    app.until("Synced")
    check(app.value("a") == "1", "now it may")
    # Stock kubectl as the same account, for the API itself.
    check(west().kubectl("auth", "can-i", "create", "configmaps", "-n", "acting", "--as=system:serviceaccount:acting:deployer").stdout.strip() == "yes", "can-i")
    refused = west().kubectl("get", "secrets", "-n", "kube-system", "--as=system:serviceaccount:acting:deployer", check_it=False)
    check(refused.returncode != 0 and "forbidden" in refused.all, refused.all)


def test_options_of_comparing(house: House):
    need("kubectl", "git")
    app = App(house, "compared", {"name": "in-cluster"}, where=house)
    app.push(a=config_map("a", 1))
    app.create({"argocd.argoproj.io/compare-options": "ServerSideDiff=true,IncludeMutationWebhook=true"})
    app.until("Synced")
    house.kubectl("annotate", "application", "compared", "-n", ARGO, "--overwrite", "argocd.argoproj.io/compare-options=ServerSideDif=true")
    app.until("Unknown", "ServerSideDif: no such option, did you mean ServerSideDiff?")


def test_a_kustomization_with_a_kubeconfig(house: House):
    need("kubectl", "git")
    ns = "flux-system"
    config = house.git("flux-far")
    config.write("app/a.yaml", config_map("a", 1))
    config.commit("First")
    config.push("HEAD:main")
    house.kubectl("create", "namespace", ns, check_it=False)
    west().kubectl("create", "namespace", "flux-far")
    west().kubectl("create", "serviceaccount", "flux", "-n", ns, check_it=False)

    def kustomization(**spec):
        house.kubectl("apply", "-f", "-", input=json.dumps({
            "apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization", "metadata": {"name": "far", "namespace": ns},
            "spec": {"interval": "1s", "retryInterval": "1s", "prune": True, "path": "app", "targetNamespace": "flux-far", "sourceRef": {"kind": "GitRepository", "name": "far"},
                     "kubeConfig": {"secretRef": {"name": "west"}}, **spec}}))

    def ready(want):
        def test():
            o = json.loads(house.kubectl("get", "ks", "far", "-n", ns, "-o", "json").stdout)
            found = next((c for c in get_path(o, "status", "conditions") or [] if c["type"] == "Ready"), {})
            return f"{found.get('status')} {found.get('reason')}: {found.get('message')}".startswith(want) and found
        return until(test, f"Ready {want}: {house.kubectl('get', 'ks', 'far', '-n', ns).stdout}", 40)

    def value():
        result = west().kubectl("get", "configmap", "a", "-n", "flux-far", "-o", "json", check_it=False)
        return json.loads(result.stdout)["data"]["v"] if result.returncode == 0 else None

    house.kubectl("apply", "-f", "-", input=json.dumps({
        "apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "GitRepository", "metadata": {"name": "far", "namespace": ns},
        "spec": {"interval": "1m", "url": "http://slipway/git/flux-far.git", "ref": {"branch": "main"}}}))
    kustomization()
    check("Secret 'flux-system/west' of kubeConfig not found" in ready("False ")["message"], "no kubeconfig yet")
    with open(west().kubeconfig) as file:
        house.kubectl("create", "secret", "generic", "west", "-n", ns, f"--from-literal=value={file.read()}")
    ready("True ReconciliationSucceeded")
    check(value() == "1" and house.kubectl("get", "namespace", "flux-far", check_it=False).returncode != 0, "there alone")
    west().kubectl("patch", "configmap", "a", "-n", "flux-far", "--type=merge", "-p", '{"data":{"v":"by hand"}}')
    until(lambda: value() == "1", "undone at the interval")
    west().kill()
    check("127.0.0.1" in ready("False ReconciliationFailed")["message"], "it says so")
    west().start()
    ready("True ")
    # As an account of the other cluster, which may not do it.
    kustomization(serviceAccountName="nobody")
    west().kubectl("delete", "configmap", "a", "-n", "flux-far")
    until(lambda: "system:serviceaccount:flux-system:nobody" in house.kubectl("get", "ks", "far", "-n", ns).stdout, "it may not", 30)
    check(value() is None, "and nothing is done")
    kustomization()
    until(lambda: value() == "1", "as ourselves again", 30)
    house.kubectl("delete", "ks", "far", "-n", ns, "--timeout=20s")
    check(value() is None, "what it brought goes with it")


if __name__ == "__main__":
    main(globals())
