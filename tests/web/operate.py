"""What people decide on the page: an approval in their name, a Rollout promoted, aborted and tried again, a Deployment's
family down to the lines that its pod writes."""
import json

from person import Person  # first: it knows where the harness is
from harness import HOME, House, check, get_path, main, until, need_root, phase

DIGEST = "sha256:" + "ab" * 32
COMMIT = "c0ffee" + "0" * 34
PIPELINE = {"apiVersion": "slipway.dev/v1", "kind": "Pipeline", "metadata": {"name": "app", "namespace": HOME},
            "spec": {"repository": "config", "services": [{"name": "app", "image": "acme/app", "repository": "app"}],
                     "environments": [{"name": "production", "path": "production", "namespace": "default", "automatic": False, "approvers": ["admin"]}]}}
ARTIFACT = {"apiVersion": "slipway.dev/v1", "kind": "Artifact", "metadata": {"name": "app-1", "namespace": HOME},
            "spec": {"service": "app", "image": "acme/app", "digest": DIGEST, "tags": ["v1"], "repository": "app", "commit": COMMIT, "run": "x"}}


def apply(house, document):
    house.kubectl("apply", "-f", "-", input=json.dumps(document))


def pods(image, version):
    return {"metadata": {"labels": {"app": "held"}},
            "spec": {"terminationGracePeriodSeconds": 0, "containers": [{"name": "c", "image": image, "env": [{"name": "VERSION", "value": version}],
                     "command": ["/bin/busybox", "sh", "-c", "echo \"version $VERSION <b>bold</b>\"; exec /bin/busybox sleep 3600"]}]}}


def rollout(image, version):
    return {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "metadata": {"name": "held", "namespace": "default"},
            "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "held"}}, "template": pods(image, version),
                     "strategy": {"canary": {"steps": [{"setWeight": 50}, {"pause": {}}]}}}}


def state(house, wanted, what):
    return house.wait("Rollout", lambda rs: next((r for r in rs if r["metadata"]["name"] == "held" and wanted(r)), None), what, "default")


def test_an_approval(house: House):
    with Person(house, "approve.mjs") as ada:
        ada.until("empty")
        config = house.git("config")
        config.write("production/kustomization.yaml", "resources: [app.yaml]\nimages:\n- name: acme/app\n  newTag: none\n")
        config.write("production/app.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: app}\n")
        config.commit("Environments")
        config.push("HEAD:main")
        apply(house, PIPELINE)
        apply(house, ARTIFACT)
        house.patch("Artifact", "app-1", {"status": {"phase": "Succeeded", "passedAt": "2026-01-01T00:00:00.000000Z"}}, subresource="status")
        ada.until("approved")
        moved = house.wait("Promotion", lambda ps: next((p for p in ps if get_path(p, "status", "commit")), None), "its commit")
        check(moved["spec"]["approvedBy"] == "admin", moved["spec"])
        check(phase(moved) in ("Running", "Succeeded"), moved["status"])


def test_a_rollout(house: House):
    need_root()
    image = house.push_busybox()
    apply(house, rollout(image, "1"))
    state(house, lambda r: phase(r) == "Healthy", "the first version")
    with Person(house, "rollout.mjs") as ada:
        ada.until("healthy")
        apply(house, rollout(image, "2"))
        ada.until("promoted")
        state(house, lambda r: phase(r) == "Healthy" and r["status"]["stableRS"] == r["status"]["currentPodHash"] and r["metadata"]["generation"] == int(r["status"]["observedGeneration"]), "the second version, promoted")
        apply(house, rollout(image, "3"))
        ada.until("aborted")
        state(house, lambda r: get_path(r, "status", "abort"), "the abort")
        ada.until("retried")
        state(house, lambda r: phase(r) == "Paused" and not get_path(r, "status", "abort"), "another try, as far as the pause")
    # The command goes on from the same pause as the button.
    done = house.cli("rollout", "promote", "held", "-n", "default")
    check(done.returncode == 0, done.all)
    state(house, lambda r: phase(r) == "Healthy" and r["status"]["stableRS"] == r["status"]["currentPodHash"], "the third version, promoted by the command")


def test_a_deletion_that_asks(house: House):
    config = house.git("shop-config")
    for name in "abc":
        config.write(f"dev/{name}.yaml", f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\n")
    config.commit("Three")
    config.push("HEAD:main")
    apply(house, {"apiVersion": "argoproj.io/v1alpha1", "kind": "Application",
                  "metadata": {"name": "shop-dev", "namespace": "argocd", "annotations": {"slipway.dev/delete-budget": "1"}},
                  "spec": {"project": "default", "source": {"repoURL": "http://slipway/git/shop-config.git", "path": "dev", "targetRevision": "main"},
                           "destination": {"server": "https://kubernetes.default.svc", "namespace": "default"}, "syncPolicy": {"automated": {"prune": True}}}})
    apply(house, {**PIPELINE, "metadata": {"name": "shop", "namespace": HOME},
                  "spec": {"repository": "shop-config", "services": [{"name": "api", "image": "acme/api"}],
                           "environments": [{"name": "dev", "application": "shop-dev", "path": "dev", "namespace": "default"}]}})
    for name, status in (("now", {"phase": "Succeeded", "since": "2026-02-01T00:00:00Z", "current": True}),
                         ("past", {"phase": "Failed", "since": "2026-01-01T00:00:00Z", "current": False, "verdict": {"why": "too slow"}})):
        apply(house, {"apiVersion": "slipway.dev/v1", "kind": "Release", "metadata": {"name": name, "namespace": HOME},
                      "spec": {"service": "api", "environment": "dev", "digest": DIGEST, "sourceCommit": COMMIT, "promotion": "p"}})
        house.patch("Release", name, {"status": status}, subresource="status")
    here = lambda name: house.kubectl("get", "configmap", name, check_it=False).returncode == 0  # noqa: E731
    until(lambda: here("c"), "the three are there")
    config.git("rm", "-q", "dev/a.yaml", "dev/b.yaml")
    config.commit("Two go")
    config.push("HEAD:main")
    with Person(house, "deletion.mjs") as ada:
        ada.until("asks")
        check(here("a") and here("b"), "nothing goes before somebody said so")
        ada.tell("nothing went")
        ada.until("gone")
        until(lambda: not here("a") and not here("b"), "they are gone")


if __name__ == "__main__":
    main(globals())
