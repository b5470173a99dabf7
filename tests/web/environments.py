"""The environments on the page: what a sync does or why it failed, hooks that run, sources without a revision, Applications
of any namespace, Flux's Kustomizations; and promotions that wait in a pull request, for a window, or failed."""
import json

from person import Person  # first: it knows where the harness is
from harness import HOME, House, check, get_path, main, until, phase

DIGEST = "sha256:" + "ab" * 32
COMMIT = "c0ffee" + "0" * 34
ARTIFACT = {"apiVersion": "slipway.dev/v1", "kind": "Artifact", "metadata": {"name": "app-1", "namespace": HOME},
            "spec": {"service": "app", "image": "acme/app", "digest": DIGEST, "tags": ["v1"], "repository": "app", "commit": COMMIT, "run": "x"}}
CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"
NO_PORT = "apiVersion: v1\nkind: Service\nmetadata: {name: no-port}\nspec: {ports: [{port: 99999}]}\n"
# A suspended Job is a hook that runs until somebody ends it, and needs no pod.
HOOK = """apiVersion: batch/v1
kind: Job
metadata: {name: migrate, annotations: {argocd.argoproj.io/hook: PreSync}}
spec:
  suspend: true
  template: {spec: {restartPolicy: Never, containers: [{name: c, image: nowhere.example/none}]}}
"""
FLUX = "kustomizations.kustomize.toolkit.fluxcd.io"


def apply(house, *documents):
    for document in documents:
        house.kubectl("apply", "-f", "-", input=json.dumps(document))


def application(name, namespace="argocd", paths=(), **spec):
    sources = [{"repoURL": "http://slipway/git/config.git", "path": path, "targetRevision": "main"} for path in paths or [name]]
    return {"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": {"name": name, "namespace": namespace},
            "spec": {"project": "default", **({"sources": sources} if paths else {"source": sources[0]}),
                     "destination": {"server": "https://kubernetes.default.svc", "namespace": name}, "syncPolicy": {"syncOptions": ["CreateNamespace=true"]}, **spec}}


def kustomization(name, **spec):
    return {"apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization", "metadata": {"name": name, "namespace": "flux-system"},
            "spec": {"interval": "10m", "prune": True, "path": "fine", "targetNamespace": "default", "sourceRef": {"kind": "GitRepository", "name": "config"}, **spec}}


def read(house, kind, name, namespace="argocd"):
    return json.loads(house.kubectl("get", kind, name, "-n", namespace, "-o", "json").stdout)


def test_syncs(house: House):
    config = house.git("config")
    for path, text in {"fine": CONFIG_MAP, "bad": NO_PORT, "hooked": HOOK, "one": CONFIG_MAP, "two": CONFIG_MAP.replace("name: a", "name: b"), "web": CONFIG_MAP}.items():
        config.write(f"{path}/a.yaml", text)
    commit = config.commit("All of them")
    config.push("HEAD:main")
    for namespace in ("team", "flux-system"):
        house.kubectl("create", "namespace", namespace, check_it=False)
    house.kubectl("patch", "appproject", "default", "-n", "argocd", "--type=merge", "-p", '{"spec":{"sourceNamespaces":["team"]}}')
    apply(house, application("bad"), application("hooked"), application("both", paths=("one", "two")), application("nothing", paths=("gone", "away")), application("web", "team"),
          {"apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "GitRepository", "metadata": {"name": "config", "namespace": "flux-system"},
           "spec": {"interval": "1m", "url": "http://slipway/git/config.git", "ref": {"branch": "main"}}},
          kustomization("fluxed"), kustomization("still", suspend=True), kustomization("lost", path="nowhere"))
    with Person(house, "environments.mjs") as ada:
        ada.tell(commit[:12])
        ada.until("failed")
        ada.until("terminated")
        until(lambda: get_path(read(house, "application", "hooked"), "status", "operationState", "message") == "operation terminated", "the sync is ended")
        ada.until("team")
        until(lambda: get_path(read(house, "application", "web", "team"), "status", "operationState", "phase") == "Succeeded", "a sync in its own namespace")
        ada.until("reconciled")
        until(lambda: get_path(read(house, FLUX, "fluxed", "flux-system"), "status", "lastHandledReconcileAt"), "Flux's request is handled")


def test_promotions(house: House):
    config = house.git("shop-config")
    for stage in ("staging", "production", "late"):
        config.write(f"{stage}/kustomization.yaml", "resources: [app.yaml]\nimages:\n- name: acme/app\n  newTag: none\n")
        config.write(f"{stage}/app.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: app}\n")
    config.commit("Environments")
    config.push("HEAD:main")
    environments = [{"name": "staging", "path": "nowhere", "application": "shop-staging", "namespace": "default"},
                    {"name": "production", "path": "production", "application": "shop-production", "namespace": "default", "pullRequest": True},
                    {"name": "late", "path": "late", "application": "shop-late", "namespace": "default", "windows": [{"kind": "deny", "schedule": "* * * * *", "duration": "24h"}]}]
    apply(house, *({**application(e["application"]), "spec": {**application(e["application"])["spec"],
                    "source": {"repoURL": "http://slipway/git/shop-config.git", "path": e["name"], "targetRevision": "main"}}} for e in environments),
          {"apiVersion": "slipway.dev/v1", "kind": "Pipeline", "metadata": {"name": "shop", "namespace": HOME},
           "spec": {"repository": "shop-config", "services": [{"name": "app", "image": "acme/app", "repository": "app"}], "environments": environments}}, ARTIFACT)
    house.patch("Artifact", "app-1", {"status": {"phase": "Succeeded", "passedAt": "2026-01-01T00:00:00.000000Z"}}, subresource="status")
    promotions = lambda test, what: house.wait("Promotion", lambda ps: next((p for p in ps if test(p)), None), what)  # noqa: E731
    asked = promotions(lambda p: get_path(p, "status", "pullRequest"), "a pull request")
    app = house.git("app")
    app.write("file", "1")
    app.commit("First")
    app.push("HEAD:main")
    app.write("file", "2")
    app.commit(f"Revert {COMMIT} and {'w' * 90}")
    app.push("HEAD:refs/for/main")
    with Person(house, "promotions.mjs") as ada:
        ada.tell(str(asked["status"]["pullRequest"]))
        ada.until("closed")
        given_up = promotions(lambda p: p["metadata"]["name"] == asked["metadata"]["name"] and phase(p) == "Cancelled", "it is given up")
        check(not get_path(given_up, "spec", "approvedBy"), given_up["spec"])


if __name__ == "__main__":
    main(globals())
