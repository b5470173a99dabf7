"""Applications as Argo CD's users know them, against a destination (destination.py): the embedded cluster, or with
SLIPWAY_E2E_KUBECONFIG a real Kubernetes, which script/conformance brings up. The same tests for both."""
import json
import time

import destination
from destination import LONG, REAL, TRACKING, App, Record, completed, config_map, definition, deployment, image, job, named
from harness import check, get_path, main, skip, until

CERTIFICATES = definition("cert-manager.io", "Certificate", "certificates")


def certificate(name, **notes):
    """An object of a kind whose health its status says, and nobody but the test writes that."""
    return named("Certificate", name, version="cert-manager.io/v1", spec={"secretName": name}, **notes)


def ready(app, name):
    app.patch("certificates.cert-manager.io", name, {"status": {"conditions": [{"type": "Ready", "status": "True", "reason": "Ready", "message": "issued"}]}}, "--subresource=status")


def pods(app, name):
    return {p["metadata"]["uid"] for p in app.there.list("Pod", app.name, f"app={name}") if "deletionTimestamp" not in p["metadata"]}


def service(name, **spec):
    return named("Service", name, spec={"selector": {"app": name}, "ports": [{"port": 80, "targetPort": 8080}], **spec})


def test_a_guestbook_and_its_commits(house):
    app, picture = App(house, "guestbook"), image(house)
    first = app.push(web=deployment("web", picture), front=service("web"), settings=config_map("settings"))
    app.create()
    o = app.synced(first)
    check(o["status"]["summary"]["images"] == [picture], o["status"]["summary"])
    check({(r["kind"], r["name"], r["status"]) for r in o["status"]["resources"]} == {("Deployment", "web", "Synced"), ("Service", "web", "Synced"), ("ConfigMap", "settings", "Synced")}, o["status"])
    check(app.get("Deployment", "web")["metadata"]["annotations"][TRACKING] == "guestbook:apps/Deployment:guestbook/web", "tracking id")
    check(app.get("Deployment", "web")["status"]["availableReplicas"] == 1, "it runs")
    shown = house.kubectl("get", "application", "guestbook", "-n", "argocd").stdout.split("\n")
    check(shown[1].split()[:3] == ["guestbook", "Synced", "Healthy"], shown)
    before = pods(app, "web")
    second = app.push(web=deployment("web", picture, env=[{"name": "WORD", "value": "two"}]), settings=config_map("settings", "2"))
    o = app.synced(second)
    check(app.value("settings") == "2" and not pods(app, "web") & before, "the second commit runs")
    app.config.git("revert", "--no-edit", "HEAD")
    app.config.push("HEAD:main")
    third = app.config.git("rev-parse", "HEAD").stdout.strip()
    o = app.synced(third)
    check(app.value("settings") == "1" and "env" not in app.get("Deployment", "web")["spec"]["template"]["spec"]["containers"][0], "the revert")
    check([h["revision"] for h in o["status"]["history"]] == [first, second, third], o["status"]["history"])


def test_a_guestbook_in_jsonnet(house):
    """Values in a file of their own, a shared library of the repository, arguments and the build environment."""
    app, picture = App(house, "jsonnet-guestbook"), image(house)
    app.config.write("app/values.libsonnet", f"{{ name: 'guestbook-ui', image: '{picture}', port: 8080 }}\n")
    app.config.write("vendor/kube/web.libsonnet", """
local labelled(kind, version, name) = { apiVersion: version, kind: kind, metadata: { name: name, labels: { app: name } } };
{
  service(v, type):: labelled('Service', 'v1', v.name) {
    spec: { type: type, selector: { app: v.name }, ports: [{ port: 80, targetPort: v.port }] },
  },
  deployment(v, replicas):: labelled('Deployment', 'apps/v1', v.name) {
    spec: {
      replicas: replicas,
      selector: { matchLabels: { app: v.name } },
      template: {
        metadata: { labels: { app: v.name } },
        spec: {
          terminationGracePeriodSeconds: 0,
          containers: [{ name: v.name, image: v.image, command: ['busybox', 'sleep', '1000000'] }],
        },
      },
    },
  },
}
""")
    app.config.write("app/guestbook.jsonnet", """
local web = import 'kube/web.libsonnet';
local values = import 'values.libsonnet';
function(replicas=0, type='ClusterIP', of) [
  web.service(values, type),
  web.deployment(values, replicas),
  if replicas > 1 then { apiVersion: 'policy/v1' },
  { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'settings' }, data: { v: of + ' in ' + std.extVar('stage') } },
]
""")
    first = app.push()
    source = {"repoURL": "http://slipway/git/jsonnet-guestbook.git", "path": "app", "targetRevision": "main",
              "directory": {"jsonnet": {"libs": ["vendor"], "extVars": [{"name": "stage", "value": "test"}],
                                        "tlas": [{"name": "replicas", "value": "1", "code": True}, {"name": "of", "value": "$ARGOCD_APP_NAME"}]}}}
    app.create(source=source)
    o = app.synced(first)
    check(o["status"]["sourceType"] == "Directory" and o["status"]["summary"]["images"] == [picture], o["status"])
    check({(r["kind"], r["name"]) for r in o["status"]["resources"]} == {("Deployment", "guestbook-ui"), ("Service", "guestbook-ui"), ("ConfigMap", "settings")}, o["status"])
    check(app.value("settings") == "jsonnet-guestbook in test" and app.get("Deployment", "guestbook-ui")["status"]["availableReplicas"] == 1, "it runs")
    # A library of the repository is a part of it.
    app.config.write("vendor/kube/web.libsonnet", app.config.read("vendor/kube/web.libsonnet").replace("labels: { app: name } }", "labels: { app: name, changed: 'yes' } }"))
    app.synced(app.push())
    check(app.get("Service", "guestbook-ui")["metadata"]["labels"] == {"app": "guestbook-ui", "changed": "yes"}, "the library's change")
    # What is wrong is said with its place, and what runs stays.
    app.config.write("app/values.libsonnet", "{\n  name: }\n")
    app.push()
    app.condition("ComparisonError", "app/guestbook.jsonnet: app/values.libsonnet:2:9: unexpected")
    app.config.write("app/values.libsonnet", f"{{ name: 'guestbook-ui', image: '{picture}', port: 8080 }}\n")
    app.push()
    source["directory"]["jsonnet"]["tlas"].pop()
    app.create(source=source)
    app.condition("ComparisonError", "app/guestbook.jsonnet: function parameter of not bound in call")
    check(app.get("Deployment", "guestbook-ui") is not None, "it stays")


def test_a_kustomize_overlay_with_generators(house):
    app, picture = App(house, "overlay"), image(house)
    web = deployment("web", "web", envFrom=[{"configMapRef": {"name": "settings"}}])
    app.config.write("base/web.yaml", json.dumps(web))
    app.config.write("base/kustomization.yaml", "resources: [web.yaml]\nconfigMapGenerator: [{name: settings, literals: [v=base, kept=yes]}]\n")
    app.config.write("app/kustomization.yaml", "resources: [../base]\nnamePrefix: dev-\nlabels: [{pairs: {stage: dev}}]\n"
                     f"images: [{{name: web, newName: {picture.rsplit(':', 1)[0]}, newTag: '1'}}]\nreplicas: [{{name: web, count: 1}}]\n"
                     "configMapGenerator: [{name: settings, behavior: merge, literals: [v=one]}]\nsecretGenerator: [{name: word, literals: [w=hush]}]\n")
    commit = app.push()
    app.create()
    app.synced(commit)

    def settings():
        return app.get("Deployment", "dev-web")["spec"]["template"]["spec"]["containers"][0]["envFrom"][0]["configMapRef"]["name"]
    former = settings()
    check(former.startswith("dev-settings-") and app.get("ConfigMap", former)["data"] == {"v": "one", "kept": "yes"}, former)
    check(app.get("Deployment", "dev-web")["metadata"]["labels"]["stage"] == "dev", "labels")
    app.config.write("app/kustomization.yaml", app.config.read("app/kustomization.yaml").replace("v=one", "v=two"))
    app.synced(app.push())
    check(settings() != former and app.get("ConfigMap", settings())["data"]["v"] == "two", "another content is another name")
    check(app.get("ConfigMap", former) is None, "the former one is pruned")


def test_pruning_and_who_may_stop_it(house):
    app = App(house, "pruning")
    app.there.apply(CERTIFICATES)
    app.push(a=config_map("a"), kept=config_map("kept", options="Prune=false"), asked=config_map("asked", options="Prune=confirm"), gone=config_map("gone"))
    app.create()
    app.synced()
    # Pruning comes last: not while something that is applied holds the sync up.
    app.push(kept=None, asked=None, gone=None, gate=certificate("gate"), last=config_map("last", wave=1))
    app.until(lambda o: "waiting for healthy state of Certificate/gate" in get_path(o, "status", "operationState", "message"), "it waits")
    check(app.value("gone") == "1" and app.value("last") is None, "neither pruned nor applied yet")
    with Record(app.there, app.name, "ConfigMap") as record:
        ready(app, "gate")
        check(record.when("ConfigMap", "last") < record.when("ConfigMap", "gone", "DELETED"), "pruned before the last wave")
    o = app.until(lambda o: "approval to delete ConfigMap/asked" in get_path(o, "status", "operationState", "message"), "it asks")
    check(app.value("kept") == "1" and app.value("asked") == "1", "what may not go without a word")
    check(app.resource("asked").get("requiresDeletionConfirmation") and o["status"]["operationState"]["phase"] == "Running", o["status"])
    house.kubectl("annotate", "application", app.name, "-n", "argocd", f"argocd.argoproj.io/deletion-approved={o['status']['operationState']['startedAt']}")
    o = app.until(lambda o: get_path(o, "status", "operationState", "phase") == "Succeeded", "it ends")
    check(app.value("asked") is None and app.value("kept") == "1", "approved, and refused")
    check({r["name"]: r["status"] for r in o["status"]["operationState"]["syncResult"]["resources"]}["kept"] == "PruneSkipped", o["status"])
    check(o["status"]["sync"]["status"] == "OutOfSync", o["status"]["sync"])


def test_never_everything(house):
    app = App(house, "empty")
    app.push(a=config_map("a"), b=config_map("b"))
    app.create()
    app.synced()
    app.push(a=None, b=None)
    app.condition("SyncError", "allowEmpty")
    check(app.value("a") == "1" and app.value("b") == "1", "all is there")
    app.create(policy={"automated": {"prune": True, "selfHeal": True, "allowEmpty": True}})
    until(lambda: app.value("a") is None and app.value("b") is None, "with allowEmpty it goes", LONG)


def test_self_heal(house):
    app = App(house, "heal")
    app.push(a=config_map("a"), web=deployment("web", replicas=0))
    app.create()
    app.synced()
    app.patch("configmap", "a", {"data": {"v": "by hand", "more": "theirs"}})
    app.until_value("a", "1")
    check(app.value("a", "more") == "theirs", "a field that Git says nothing of")
    uid = app.get("ConfigMap", "a")["metadata"]["uid"]
    app.there.kubectl("delete", "configmap", "a", "-n", app.name)
    until(lambda: get_path(app.get("ConfigMap", "a") or {}, "metadata", "uid") not in (None, uid), "a deleted object is there again", LONG)
    with Record(app.there, app.name, "Deployment") as record:
        app.there.kubectl("scale", "deployment", "web", "-n", app.name, "--replicas=2")
        scaled = record.when("Deployment", "web", "MODIFIED", lambda o: o["spec"]["replicas"] == 2)
        healed = record.when("Deployment", "web", "MODIFIED", lambda o: o["spec"]["replicas"] == 0 and int(o["metadata"]["resourceVersion"]) > scaled)
        check(healed > scaled, "scaled back")
    reasons = house.kubectl("get", "events", "-n", destination.ARGO, "--field-selector", f"involvedObject.name={app.name}", "-o", "jsonpath={.items[*].reason}").stdout.split()
    check({"OperationCompleted", "DriftHealed"} <= set(reasons), f"told by events: {reasons}")
    # Without it, drift is shown and stays.
    app.create(policy={"automated": {"prune": True}})
    app.patch("configmap", "a", {"data": {"v": "by hand"}})
    app.until(lambda o: get_path(o, "status", "sync", "status") == "OutOfSync", "drift is shown")
    check(app.value("a") == "by hand", "and left alone")
    diff = house.cli("app", "diff", app.name)
    check(diff.returncode == 1 and "by hand" in diff.stdout, diff.all)


def test_ignored_differences(house):
    app = App(house, "ignored")
    web = deployment("web", replicas=0, resources={"limits": {"cpu": "1"}})
    app.push(a=named("ConfigMap", "a", data={"v": "1", "seen": "never"}), web=web)
    app.create(ignoreDifferences=[
        {"group": "", "kind": "ConfigMap", "jsonPointers": ["/data/seen"]},
        {"group": "apps", "kind": "Deployment", "jqPathExpressions": ['.spec.template.spec.containers[] | select(.name == "c") | .resources'], "managedFieldsManagers": ["scaler"]}])
    app.synced()
    app.patch("configmap", "a", {"data": {"seen": "today"}})
    app.there.kubectl("set", "resources", "deployment/web", "-n", app.name, "--limits=cpu=2")
    app.there.apply({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {"replicas": 1}}, ns=app.name,
                    flags=("--server-side", "--field-manager=scaler", "--force-conflicts", "--validate=false"))

    def theirs():
        spec = app.get("Deployment", "web")["spec"]
        return app.value("a", "seen"), spec["replicas"], spec["template"]["spec"]["containers"][0]["resources"]["limits"]["cpu"]
    # Beside them, what is not ignored is healed: so they were seen, and left.
    app.patch("configmap", "a", {"data": {"v": "by hand"}})
    app.patch("deployment", "web", {"spec": {"paused": True}})  # not Git's: no drift
    app.patch("deployment", "web", {"spec": {"template": {"spec": {"terminationGracePeriodSeconds": 7}}}})
    app.until_value("a", "1")
    until(lambda: app.get("Deployment", "web")["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] == 0, "healed", LONG)
    check(theirs() == ("today", 1, "2"), theirs())
    app.patch("deployment", "web", {"spec": {"paused": None}})
    commit = app.push(a=named("ConfigMap", "a", data={"v": "2", "seen": "never"}), web=deployment("web", replicas=0, resources={"limits": {"cpu": "1"}}, env=[{"name": "A", "value": "b"}]))
    app.synced(commit, health=None)
    check(app.value("a") == "2" and theirs() == ("today", 1, "2"), theirs())
    check(app.get("Deployment", "web")["spec"]["template"]["spec"]["containers"][0]["env"] == [{"name": "A", "value": "b"}], "and the rest was synced")


def test_waves_across_kinds(house):
    app, picture = App(house, "waves"), image(house)
    app.push(z0=named("Widget", "w", version="shapes.example.com/v1", wave=-1, spec={"size": 1}), z1=definition("shapes.example.com", "Widget", "widgets", wave=-2),
             a4=config_map("last", wave=4), b3=deployment("web", picture, notes={"wave": 3}), c2=job("migrate", picture, "true", wave=2), d1=config_map("first", wave=1), e=config_map("before", wave=-3))
    with Record(app.there, app.name, "ConfigMap", "Deployment", "Job") as record:
        app.create()
        app.synced()
        moments = [record.when("ConfigMap", "before"), record.when("ConfigMap", "first"), record.when("Job", "migrate"), record.when("Job", "migrate", "MODIFIED", completed),
                   record.when("Deployment", "web"), record.when("Deployment", "web", "MODIFIED", lambda o: get_path(o, "status", "availableReplicas") == 1), record.when("ConfigMap", "last")]
        check(moments == sorted(moments), moments)
    widget = app.get("Widget", "w")
    check(record.when("ConfigMap", "before") < int(widget["metadata"]["resourceVersion"]) < record.when("ConfigMap", "first"), "between its definition and the next wave")
    # They go in reverse.
    with Record(app.there, app.name, "ConfigMap", "Deployment", "Job") as record:
        app.delete()
        gone = [record.when(kind, name, "DELETED") for kind, name in (("ConfigMap", "last"), ("Deployment", "web"), ("Job", "migrate"), ("ConfigMap", "first"), ("ConfigMap", "before"))]
        check(gone == sorted(gone), gone)
    check(app.get("Widget", "w") is None and app.there.get("CustomResourceDefinition", "widgets.shapes.example.com"), "the definition stays")


def test_an_autoscaler_in_a_wave(house):
    """It lets the next wave come, holds its bounds at once and follows the load."""
    if REAL:
        skip("a cluster without a metrics server says Degraded here")
    app, picture = App(house, "autoscaled"), image(house)
    web = deployment("web", picture, command=["busybox", "sh", "-c", "while :; do :; done"], resources={"requests": {"cpu": "10m"}, "limits": {"cpu": "40m"}})
    del web["spec"]["replicas"]
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    metric = {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}}
    app.push(web=web, scaler=named("HorizontalPodAutoscaler", "web", version="autoscaling/v2", spec={"scaleTargetRef": target, "minReplicas": 2, "maxReplicas": 3, "metrics": [metric]}), later=config_map("later", wave=1))
    app.create()
    app.synced()
    check(app.value("later") == "1" and app.get("Deployment", "web")["spec"]["replicas"] >= 2, "the next wave came, and two pods are wanted")
    until(lambda: app.get("Deployment", "web")["spec"]["replicas"] == 3, "the load asks for more", 60)
    scaler = until(lambda: next((o for o in [app.get("HorizontalPodAutoscaler", "web")] if get_path(o, "status", "desiredReplicas") == 3), None), "it says so", 60)
    check({c["type"]: c["status"] for c in scaler["status"]["conditions"]}["ScalingActive"] == "True", scaler["status"])
    used = house.kubectl("top", "pods", "-n", app.name, "--no-headers").stdout.split("\n")
    check(len(used) >= 3 and used[0].split()[0].startswith("web-") and used[0].split()[1].endswith("m"), used)
    app.synced()
    app.delete()


def test_hooks_before_and_after(house):
    app, picture = App(house, "hooks"), image(house)
    app.push(a=config_map("a"), pre=job("pre", picture, "true", hook="PreSync", delete="HookSucceeded"), mid=config_map("mid", hook="Sync"),
             post=job("post", picture, "true", hook="PostSync"), skip=config_map("skip", hook="Skip"))
    with Record(app.there, app.name, "ConfigMap", "Job") as record:
        app.create()
        app.synced()
        moments = [record.when("Job", "pre", "MODIFIED", completed), record.when("ConfigMap", "a"), record.when("Job", "post"), record.when("Job", "post", "MODIFIED", completed)]
        check(moments == sorted(moments) and record.when("Job", "pre", "DELETED") > moments[0] and record.when("ConfigMap", "mid"), moments)
    check(app.value("skip") is None, "Skip")
    first = app.get("Job", "post")["metadata"]["uid"]
    app.synced(app.push(a=config_map("a", "2")))
    check(app.get("Job", "post")["metadata"]["uid"] != first and app.get("Job", "pre") is None, "each sync has hooks of its own")
    # Hooks are no part of what is compared.
    app.there.kubectl("delete", "job", "post", "-n", app.name)
    app.refresh()
    app.synced()
    check(app.get("Job", "post") is None, "not missed")


def test_a_hook_that_fails(house):
    app, picture = App(house, "hook-fails"), image(house)
    app.push(a=config_map("a"), pre=job("pre", picture, "false", hook="PreSync", delete="HookFailed"), sorry=config_map("sorry", hook="SyncFail"))
    app.create()
    app.failed("PreSync hook pre failed")
    until(lambda: app.get("Job", "pre") is None, "HookFailed: it goes", LONG)
    check(app.value("a") is None and app.value("sorry") == "1", "nothing was applied, and SyncFail ran")
    app.synced(app.push(pre=job("pre", picture, "true", hook="PreSync", delete="HookFailed")))
    check(app.value("a") == "1" and app.get("Job", "pre") is not None, "HookFailed alone: what succeeded stays")


def test_hooks_of_a_deletion(house):
    app, picture = App(house, "farewell"), image(house)
    app.push(a=config_map("a"), pre=job("pre", picture, "false", hook="PreDelete"), post=job("post", picture, "true", hook="PostDelete"))
    app.create()
    app.synced()
    check(app.get("Job", "pre") is None and app.get("Job", "post") is None, "not yet")
    with Record(app.there, app.name, "ConfigMap", "Job") as record:
        app.delete(wait=False)
        app.condition("DeletionError", "pre")
        check(app.value("a") == "1", "a PreDelete hook that fails keeps everything")
        app.push(pre=job("pre", picture, "true", hook="PreDelete"))
        until(lambda: app.now() is None, "the Application is gone", LONG)
        moments = [record.when("Job", "pre", "MODIFIED", completed), record.when("ConfigMap", "a", "DELETED"), record.when("Job", "post"), record.when("Job", "post", "MODIFIED", completed)]
        check(moments == sorted(moments), moments)
        record.when("Job", "pre", "DELETED"), record.when("Job", "post", "DELETED")


def test_fields_of_another_manager(house):
    app = App(house, "shared")
    app.push(a=named("ConfigMap", "a", data={"v": "1", "both": "git"}))
    app.create()
    app.synced()
    theirs = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"theirs": "x", "both": "git"}}
    app.there.apply(theirs, ns=app.name, flags=("--server-side", "--field-manager=other"))
    refused = app.there.kubectl("apply", "-n", app.name, "--server-side", "--field-manager=other", "-f", "-", input=json.dumps(theirs | {"data": {"v": "other"}}), check_it=False)
    check(refused.returncode != 0 and "slipway-gitops" in refused.all and ".data.v" in refused.all, refused.all)
    app.synced(app.push(a=config_map("a", "2")))
    check(app.get("ConfigMap", "a")["data"] == {"v": "2", "theirs": "x", "both": "git"}, "theirs stays, also what Git held with them")
    app.there.apply({**theirs, "data": {"v": "other"}}, ns=app.name, flags=("--server-side", "--field-manager=other", "--force-conflicts"))
    app.until_value("a", "2")


def test_what_the_cluster_fills_in_is_no_drift(house):
    app, picture = App(house, "defaults"), image(house)
    there, ns = app.there, app.name
    files = {
        "deployment": deployment("web", picture, ports=[{"containerPort": 8080}], readinessProbe={"exec": {"command": ["busybox", "true"]}}, env=[{"name": "E", "value": ""}, {"name": "N", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]),
        "service": service("web"),
        "headless": service("headless", clusterIP="None"),
        "node": service("node", type="NodePort"),
        "job": job("once", picture, "true"),
        "cron": named("CronJob", "cron", version=there.api_version("CronJob"), spec={"schedule": "0 0 1 1 *", "jobTemplate": {"spec": job("x", picture, "true")["spec"]}}),
        "ingress": named("Ingress", "web", version="networking.k8s.io/v1", spec={"rules": [{"host": "a.example.com", "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "web", "port": {"number": 80}}}}]}}]}),
        "hpa": named("HorizontalPodAutoscaler", "web", version="autoscaling/v1", spec={"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "set"}, "maxReplicas": 2, "targetCPUUtilizationPercentage": 50}),
        "set": named("StatefulSet", "set", version="apps/v1", spec={"serviceName": "headless", "replicas": 0, "selector": {"matchLabels": {"app": "set"}}, "template": deployment("set", picture)["spec"]["template"],
                     "volumeClaimTemplates": [{"metadata": {"name": "d"}, "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}]}),
        "daemon": named("DaemonSet", "daemon", version="apps/v1", spec={"selector": {"matchLabels": {"app": "daemon"}}, "template": {"metadata": {"labels": {"app": "daemon"}}, "spec": {"nodeSelector": {"no": "such"}, "hostNetwork": False, **destination.pod_spec(picture, "sleep", "1000")}}}),
        "policy": named("NetworkPolicy", "web", version="networking.k8s.io/v1", spec={"podSelector": {}, "ingress": [{"ports": [{"port": 80}]}]}),
        "pdb": named("PodDisruptionBudget", "web", version=there.api_version("PodDisruptionBudget"), spec={"minAvailable": 0, "selector": {"matchLabels": {"app": "web"}}}),
        "account": named("ServiceAccount", "web"),
        "role": named("Role", "web", version="rbac.authorization.k8s.io/v1", rules=[{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]),
        "binding": named("RoleBinding", "web", version="rbac.authorization.k8s.io/v1", roleRef={"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "web"}, subjects=[{"kind": "ServiceAccount", "name": "web"}]),
        "wide": named("ClusterRole", "defaults-wide", version="rbac.authorization.k8s.io/v1", rules=[]),
        "secret": named("Secret", "word", stringData={"w": "hush"}),
        "limits": named("LimitRange", "limits", spec={"limits": [{"type": "PersistentVolumeClaim", "max": {"storage": "2048Gi"}}]}),
        "quota": named("ResourceQuota", "quota", spec={"hard": {"pods": "50", "configmaps": "1000"}}),
        "class": named("PriorityClass", "defaults-class", version="scheduling.k8s.io/v1", value=1),
        "definition": definition("defaults.example.com", "Gadget", "gadgets"),
        "custom": named("Gadget", "g", version="defaults.example.com/v1", spec={"a": 1, "b": [1.5, "x", None, {}], "empty": {}}),
    }
    app.push(**files)
    app.create(ignoreDifferences=[])
    o = app.until(lambda o: get_path(o, "status", "operationState", "phase") in ("Succeeded", "Failed"), "it is synced")
    check(o["status"]["operationState"]["phase"] == "Succeeded", o["status"]["operationState"])
    app.until(lambda o: get_path(o, "status", "sync", "status") == "Synced" and (app.get("Job", "once") or {}).get("status", {}).get("succeeded") == 1, "Synced")
    until(lambda: get_path(app.get("Deployment", "web"), "status", "availableReplicas") == 1, "web runs", LONG)

    def generations():
        return {(f["kind"], f["metadata"]["name"]): there.get(f["kind"], f["metadata"]["name"], ns)["metadata"].get("generation") for f in files.values()}
    before = generations()
    o = app.refresh()
    check(not [r for r in o["status"]["resources"] if r["status"] != "Synced"], o["status"]["resources"])
    check(not o["status"].get("conditions"), o["status"].get("conditions"))
    diff = house.cli("app", "diff", ns)
    check(diff.returncode == 0, diff.all)
    app.push(new=config_map("new"))
    app.until_value("new", "1")
    o = app.until(lambda o: get_path(o, "status", "operationState", "phase") == "Succeeded" and len(o["status"]["history"]) == 2, "the second commit")
    written = [r["name"] for r in o["status"]["operationState"]["syncResult"]["resources"]]
    check(written == ["new"], f"one object was to be written: {written}")
    check(generations() == before, (before, generations()))


def test_quantities_are_what_they_mean(house):
    app = App(house, "quantities")
    sizes = {"limits": {"cpu": "1000m", "memory": "1024Mi"}, "requests": {"cpu": 0.5, "memory": "1000k"}}
    app.push(web=deployment("web", replicas=0, resources=sizes), limits=named("LimitRange", "l", spec={"limits": [{"type": "Container", "max": {"memory": "2048Mi"}}]}))
    app.create()
    app.synced()
    before = app.get("Deployment", "web")
    # Other words for the same.
    commit = app.push(web=deployment("web", replicas=0, resources={"limits": {"cpu": 1, "memory": "1Gi"}, "requests": {"cpu": "500m", "memory": "1M"}}), a=config_map("a"))
    app.synced(commit)
    app.refresh()
    app.synced(commit)
    check(app.get("Deployment", "web")["metadata"]["generation"] == before["metadata"]["generation"], "nothing is written for it")
    diff = house.cli("app", "diff", app.name)
    check(diff.returncode == 0, diff.all)


def test_a_deployment_that_never_gets_ready(house):
    app, picture = App(house, "unready"), image(house)
    never = deployment("web", picture, readinessProbe={"exec": {"command": ["busybox", "false"]}, "periodSeconds": 1})
    never["spec"]["progressDeadlineSeconds"] = 3
    commit = app.push(web=never)
    app.create()
    app.until(lambda o: get_path(o, "status", "health", "status") == "Progressing", "Progressing")
    o = app.synced(commit, health="Degraded")
    check("exceeded its progress deadline" in json.dumps(o["status"]["health"]) + json.dumps(o["status"]["resources"]), o["status"])
    app.synced(app.push(web=deployment("web", picture, readinessProbe={"exec": {"command": ["busybox", "true"]}})))
    # What a wave waits for, and will not be: the sync has failed, and the next wave is not begun.
    never["metadata"]["name"], never["metadata"]["annotations"] = "other", {"argocd.argoproj.io/sync-wave": "-1"}
    app.push(other=never, a=config_map("a"))
    app.failed("Deployment other is degraded in wave -1")
    check(app.value("a") is None, "the next wave")


def dropped(house, name, **notes):
    """A probe that is never passed, and the commit that drops it."""
    app, picture = App(house, name), image(house)
    app.push(web=deployment("web", picture, readinessProbe={"exec": {"command": ["busybox", "false"]}}))
    app.create()
    app.until(lambda o: get_path(o, "status", "health", "status") == "Progressing", "not ready")
    app.synced(app.push(web=deployment("web", picture, notes=notes)))
    check("readinessProbe" not in app.get("Deployment", "web")["spec"]["template"]["spec"]["containers"][0], app.get("Deployment", "web"))


def test_a_dropped_field_takes_its_defaults_along(house):
    if house.there.minor() < 21:
        skip(f"{house.there.version} keeps what it filled in below a dropped field, and refuses the rest (kubernetes/kubernetes#99037)")
    dropped(house, "dropped")


def test_a_dropped_field_and_replace(house):
    dropped(house, "replaced", options="Replace=true")


def test_what_cannot_be_changed(house):
    app = App(house, "immutable")
    web, other = deployment("web", replicas=0), deployment("web", replicas=0)
    other["spec"]["selector"]["matchLabels"] = other["spec"]["template"]["metadata"]["labels"] = {"app": "other"}
    sealed = named("ConfigMap", "sealed", data={"v": "1"}, immutable=True)
    app.push(web=web, sealed=sealed)
    app.create()
    app.synced()
    uid = app.get("Deployment", "web")["metadata"]["uid"]
    app.push(web=other, sealed=config_map("sealed", "2"))
    o = app.failed("immutable")
    results = json.dumps(o["status"]["operationState"]["syncResult"])
    check("spec.selector" in results and "field is immutable when `immutable` is set" in results, results)
    check(app.get("Deployment", "web")["metadata"]["uid"] == uid and app.value("sealed") == "1", "all was left as it was")
    other["metadata"]["annotations"] = {"argocd.argoproj.io/sync-options": "Force=true"}
    app.synced(app.push(web=other, sealed=config_map("sealed", "2", options="Force=true,Replace=true")))
    check(app.get("Deployment", "web")["metadata"]["uid"] != uid and app.value("sealed") == "2", "made anew")
    # Replace writes the whole object: what others put there goes.
    app.synced(app.push(plain=config_map("plain", options="Replace=true")))
    app.patch("configmap", "plain", {"data": {"theirs": "x"}})
    app.synced(app.push(plain=config_map("plain", "2", options="Replace=true")))
    check(app.get("ConfigMap", "plain")["data"] == {"v": "2"}, app.get("ConfigMap", "plain"))


def test_its_namespace(house):
    app = App(house, "roomy", namespace=False)
    app.push(a=config_map("a"))
    labels = {"team": "shop"}
    app.create()
    app.failed("roomy", "not found")
    app.create(options=["CreateNamespace=true"], policy={"managedNamespaceMetadata": {"labels": labels, "annotations": {"note": "ours"}}})
    house.kubectl("patch", "application", app.name, "-n", "argocd", "--type=merge", "-p", json.dumps({"operation": {"sync": {}}}))
    app.synced()
    made = app.there.get("Namespace", "roomy")["metadata"]
    check(made["labels"]["team"] == "shop" and made["annotations"]["note"] == "ours", made)
    app.there.kubectl("label", "namespace", "roomy", "theirs=kept")
    app.create(options=["CreateNamespace=true"], policy={"managedNamespaceMetadata": {"labels": {"team": "till"}}})
    app.synced(app.push(a=config_map("a", "2")))
    made = app.there.get("Namespace", "roomy")["metadata"]
    check(made["labels"]["team"] == "till" and made["labels"]["theirs"] == "kept", made)
    app.delete()
    check(app.value("a") is None and "deletionTimestamp" not in app.there.get("Namespace", "roomy")["metadata"], "the namespace stays")


def test_deleted_with_and_without_the_finalizer(house):
    picture = image(house)
    for finalizer, stays in (("", True), ("resources-finalizer.argocd.argoproj.io", False), ("resources-finalizer.argocd.argoproj.io/background", False)):
        app = App(house, f"bye-{'none' if not finalizer else 'background' if '/' in finalizer else 'foreground'}")
        app.push(web=deployment("web", picture), a=config_map("a"), kept=config_map("kept", options="Delete=false"))
        app.create(finalizer=finalizer)
        app.synced()
        app.delete()
        check((app.get("Deployment", "web") is not None) == stays and (app.value("a") is not None) == stays, f"{finalizer}: {stays}")
        check(app.value("kept") == "1", "Delete=false")
        if finalizer.endswith("io"):
            check(not app.there.list("ReplicaSet", app.name), "foreground: what they own went first")


def adopted(app, picture):
    """What became of a running Deployment and a ConfigMap when Git brings them: nothing that can be felt."""
    until(lambda: get_path(app.get("Deployment", "web"), "status", "availableReplicas") == 1, "web runs before", LONG)
    before, running = app.get("Deployment", "web"), pods(app, "web")
    app.push(web=deployment("web", picture), a=named("ConfigMap", "a", data={"v": "1"}))
    app.create()
    app.synced()
    after = app.get("Deployment", "web")
    # A Deployment's generation counts its annotations too, which are ours now.
    check(after["metadata"]["uid"] == before["metadata"]["uid"] and after["spec"] == before["spec"], (before, after))
    check(pods(app, "web") == running and len(running) == 1, "the same Pod")
    check(app.get("Deployment", "web")["metadata"]["annotations"][TRACKING] == f"{app.name}:apps/Deployment:{app.name}/web", "it is marked as ours")
    managers = {m["manager"] for m in app.get("ConfigMap", "a")["metadata"]["managedFields"]}
    check(managers == {"slipway-gitops"}, managers)
    # What Git never held, and the former tool did, is gone; what Git holds is healed.
    check(app.get("ConfigMap", "a")["data"] == {"v": "1"}, app.get("ConfigMap", "a"))
    check(pods(app, "web") == running, "the same Pod")


def tracked(app, o):
    """As Argo CD marks it."""
    group = o["apiVersion"].split("/")[0] if "/" in o["apiVersion"] else ""
    o["metadata"]["annotations"] = {TRACKING: f"{app.name}:{group}/{o['kind']}:{app.name}/{o['metadata']['name']}"}
    return o


def test_what_argo_cd_had_is_taken_over(house):
    picture = image(house)
    for name, flags in (("argo-server-side", ("--server-side", "--field-manager=argocd-controller")), ("argo-client-side", ("--field-manager=argocd-controller",))):
        app = App(house, name)
        app.there.apply(tracked(app, deployment("web", picture)), tracked(app, named("ConfigMap", "a", data={"v": "1", "dropped": "by Git"})), ns=name, flags=flags)
        adopted(app, picture)


def test_what_kubectl_applied_is_taken_over(house):
    picture = image(house)
    app = App(house, "by-hand")
    app.there.apply(deployment("web", picture), named("ConfigMap", "a", data={"v": "1", "dropped": "by Git"}), ns=app.name)
    adopted(app, picture)


def test_a_bad_commit_changes_nothing(house):
    app = App(house, "bad")
    first = app.push(a=config_map("a"), b=config_map("b"))
    app.create()
    app.synced(first)
    app.push(a=config_map("a", "2"), b="apiVersion: v1\nkind: [ConfigMap\n")
    app.condition("ComparisonError", "b.yaml")
    check(app.value("a") == "1" and app.value("b") == "1", "what cannot be read")
    app.push(a=config_map("a", "3"), b=named("Nonsense", "b", version="no.such/v1"))
    app.failed("Nonsense")
    check(app.value("a") == "1" and app.value("b") == "1", "what the cluster does not know: nothing at all is applied, nor pruned")
    app.push(a=config_map("a", "4"), b=service("b", ports=[{"port": 123456}]))
    app.failed("spec.ports[0].port")
    check(app.value("a") == "1" and app.value("b") == "1", "what it refuses")
    app.push(a=config_map("a", "5"), b=None, kustomization="resources: [a.yaml, nowhere.yaml]\n")
    app.condition("ComparisonError", "nowhere.yaml")
    check(app.value("a") == "1" and app.value("b") == "1", "what is not there")
    app.config.git("revert", "--no-edit", "HEAD~4..HEAD")
    app.config.push("HEAD:main")
    o = app.until(lambda o: get_path(o, "status", "sync", "status") == "Synced" and not o["status"].get("conditions"), "the revert")
    check(app.value("a") == "1" and app.value("b") == "1", o["status"])


def test_definitions_are_never_deleted(house):
    app = App(house, "definitions")
    app.push(d=definition("kept.example.com", "Thing", "things"), thing=named("Thing", "t", version="kept.example.com/v1", spec={"v": 1}), a=config_map("a"))
    app.create()
    app.synced()
    app.there.apply(named("Thing", "theirs", version="kept.example.com/v1", spec={}), ns=app.name)
    app.synced(app.push(d=None, thing=None))
    check(app.get("Thing", "t") is None and app.get("Thing", "theirs") is not None, "Git's is pruned, theirs and the definition stay")
    commit = app.push(d=definition("kept.example.com", "Thing", "things"))
    app.until(lambda o: o["status"]["sync"]["revision"] == commit, "the definition is in Git again")
    app.delete()
    check(app.there.get("CustomResourceDefinition", "things.kept.example.com") and app.get("Thing", "theirs") is not None, "nor when the Application goes")


def test_three_hundred_objects(house):
    app = App(house, "many")
    many = {f"o{n}": config_map(f"o{n}") for n in range(300)}
    commit = app.push(**many)
    began = time.monotonic()
    app.create()
    app.synced(commit)
    seconds = time.monotonic() - began
    before = {o["metadata"]["name"]: o["metadata"]["resourceVersion"] for o in app.there.list("ConfigMap", app.name)}
    check(set(many) <= set(before), "all are there")
    began = time.monotonic()
    app.synced(app.push(o7=config_map("o7", "2"), **{f"o{n}": None for n in range(200, 300)}))
    after = {o["metadata"]["name"]: o["metadata"]["resourceVersion"] for o in app.there.list("ConfigMap", app.name)}
    check(set(before) - set(after) == {f"o{n}" for n in range(200, 300)}, "a hundred are pruned")
    check([name for name in after if after[name] != before[name]] == ["o7"], "one alone is written")
    print(f"        300 objects in {seconds:.1f} s, one changed and 100 pruned in {time.monotonic() - began:.1f} s")


def test_killed_in_the_middle(house):
    app, picture = App(house, "killed"), image(house)
    app.there.apply(CERTIFICATES)
    app.there.kubectl("wait", "--for=condition=Established", "crd/certificates.cert-manager.io", f"--timeout={LONG}s")
    app.push(pre=job("pre", picture, "true", hook="PreSync"), gate=certificate("gate", wave=1), last=config_map("last", wave=2), **{f"o{n}": config_map(f"o{n}") for n in range(300)})
    app.create()
    until(lambda: len(app.there.list("ConfigMap", app.name)) > 20, "a part is there", LONG)
    house.kill()
    house.start()
    app.until(lambda o: "waiting for healthy state of Certificate/gate" in get_path(o, "status", "operationState", "message"), "it goes on")
    began, hook = app.now()["status"]["operationState"]["startedAt"], app.get("Job", "pre")["metadata"]["uid"]
    house.kill()
    REAL and ready(app, "gate")  # the cluster lives on without the house
    house.start()
    REAL or ready(app, "gate")
    o = app.synced()
    check(o["status"]["operationState"]["startedAt"] == began and app.get("Job", "pre")["metadata"]["uid"] == hook, "the same sync, its hook ran once")
    check(app.value("last") == "1" and all(app.value(f"o{n}") == "1" for n in range(0, 300, 50)) and len(o["status"]["resources"]) == 302, "all is there")
    app.there.kubectl("delete", "configmap", "o1", "-n", app.name)
    app.until_value("o1", "1")


def test_without_a_house_nothing_moves(house):
    """What was changed while nobody looked is found at the start."""
    if not REAL:
        skip("the embedded cluster is away with the house")
    app = App(house, "away")
    app.push(a=config_map("a"), b=config_map("b"))
    app.create()
    app.synced()
    house.kill()
    app.patch("configmap", "a", {"data": {"v": "by hand"}})
    app.there.kubectl("delete", "configmap", "b", "-n", app.name)
    house.start()
    app.until_value("a", "1"), app.until_value("b", "1")


def test_a_project_deploys_as_an_account(house):
    """The destination's own RBAC decides, for the account that the project names."""
    app = App(house, "acting")
    house.kubectl("apply", "-f", "-", input=json.dumps({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "AppProject", "metadata": {"name": "acting", "namespace": "argocd"},
        "spec": {"sourceRepos": ["*"], "destinations": [{"server": "*", "namespace": "acting"}],
                 "destinationServiceAccounts": [{"server": app.there.app["server"], "namespace": "acting", "defaultServiceAccount": "deployer"}]}}))
    app.there.kubectl("create", "serviceaccount", "deployer", "-n", app.name)
    app.push(a=config_map("a"))
    app.create(project="acting")
    app.failed("system:serviceaccount:acting:deployer")
    check(app.value("a") is None, "it may nothing yet")
    app.there.kubectl("create", "rolebinding", "deployer", "-n", app.name, "--clusterrole=edit", "--serviceaccount=acting:deployer")
    house.kubectl("patch", "application", app.name, "-n", "argocd", "--type=merge", "-p", json.dumps({"operation": {"sync": {}}}))
    app.synced()
    # What the account may not do fails, and names it.
    app.push(role=named("Role", "r", version="rbac.authorization.k8s.io/v1", rules=[{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]), a=config_map("a", "2"))
    app.failed("system:serviceaccount:acting:deployer", "roles")
    check(app.value("a") == "1", "and nothing else is applied")


def test_an_object_of_two_applications(house):
    first, second = App(house, "first"), App(house, "second", namespace=False)
    first.push(a=config_map("a"))
    first.create()
    first.synced()
    second.push(a=config_map("a", "2"))
    second.create(options=["FailOnSharedResource=true"], destination={**second.there.app, "namespace": "first"})
    second.failed("is part of Application first")
    check(first.value("a") == "1", "the first one has it")
    second.condition("SharedResourceWarning", "first")
    second.delete()
    first.synced()
    check(first.value("a") == "1", "what was another's stays when the second goes")


def test_a_kustomization_of_flux(house):
    app, ns = App(house, "fluxed"), "flux-system"
    app.push(a=config_map("a"), b=config_map("b"), web=deployment("web", replicas=0))
    house.kubectl("create", "namespace", ns, check_it=False)
    spec = {"interval": "10m", "retryInterval": "1s", "prune": True, "wait": True, "path": "app", "targetNamespace": app.name, "sourceRef": {"kind": "GitRepository", "name": app.name}}
    if REAL:
        with open(app.there.kubeconfig) as file:
            house.kubectl("create", "secret", "generic", "real", "-n", ns, f"--from-literal=value={file.read()}")
        spec |= {"kubeConfig": {"secretRef": {"name": "real"}}, "interval": "1s"}  # no watches there, as with Flux
    house.kubectl("apply", "-f", "-", input=json.dumps({"apiVersion": "v1", "kind": "List", "items": [
        {"apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "GitRepository", "metadata": {"name": app.name, "namespace": ns}, "spec": {"interval": "1m", "url": f"http://slipway/git/{app.name}.git", "ref": {"branch": "main"}}},
        {"apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization", "metadata": {"name": app.name, "namespace": ns}, "spec": spec}]}))
    house.kubectl("wait", f"ks/{app.name}", "-n", ns, "--for=condition=Ready", f"--timeout={LONG}s", timeout=LONG + 5)
    check(app.value("a") == "1" and app.get("Deployment", "web") is not None, "applied")
    app.patch("configmap", "a", {"data": {"v": "by hand"}})
    app.until_value("a", "1")
    app.push(a=config_map("a", "2"), b=None)
    app.until_value("a", "2")
    until(lambda: app.value("b") is None, "pruned", LONG)
    reasons = house.kubectl("get", "events", "-n", ns, "-o", "jsonpath={.items[*].reason}").stdout.split()
    check({"NewArtifact", "ReconciliationSucceeded"} <= set(reasons), f"told by events: {reasons}")
    house.kubectl("delete", "ks", app.name, "-n", ns, f"--timeout={LONG}s", timeout=LONG + 5)
    check(app.value("a") is None and app.get("Deployment", "web") is None, "what it brought goes with it")


if __name__ == "__main__":
    main(globals(), destination.start)
