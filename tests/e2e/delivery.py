"""Promotions, approvals and Applications by the command line: what it says, and its exit status."""
import json

import harness
from harness import HOME, check, get_path, one_error, phase, write

DIGEST = "sha256:" + "ab" * 32
PIPELINE = {"apiVersion": "slipway.dev/v1", "kind": "Pipeline", "metadata": {"name": "app", "namespace": HOME},
            "spec": {"repository": "config", "services": [{"name": "app", "image": "acme/app", "repository": "app"}],
                     "environments": [{"name": "production", "path": "production", "namespace": "default", "automatic": False, "approvers": ["ada", "grace"]}]}}
KUSTOMIZATION = "# what production runs\nresources: [app.yaml]\nimages:\n- name: acme/app # the service\n  newTag: none\n"


def apply(house, document, check_it=True):
    return house.kubectl("apply", "-f", "-", input=json.dumps(document), check_it=check_it)


def artifact(house, name, digest):
    apply(house, {"apiVersion": "slipway.dev/v1", "kind": "Artifact", "metadata": {"name": name, "namespace": HOME},
                  "spec": {"service": "app", "image": "acme/app", "digest": digest, "tags": ["v1"], "repository": "app", "commit": "c" * 40, "run": "x"}})
    house.patch("Artifact", name, {"status": {"phase": "Succeeded", "passedAt": "2026-01-01T00:00:00.000000Z"}}, subresource="status")


def test_approval(house):
    config = house.git("config")
    config.write("production/kustomization.yaml", KUSTOMIZATION)
    config.write("production/app.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: app}\n")
    config.commit("Environments")
    config.push("HEAD:main")
    apply(house, PIPELINE)
    artifact(house, "app-1", DIGEST)
    waiting = house.wait("Promotion", lambda ps: next((p for p in ps if phase(p) == "Waiting"), None), "a promotion that waits")
    name = waiting["metadata"]["name"]
    listed = house.cli("promotions")
    check(name in listed.stdout and "ada or grace" in listed.stdout, listed.stdout)
    one_error(house.cli("approve", name, "--as", "mallory"), 3, "mallory may not approve for production", "ada or grace")
    forged = house.kubectl("patch", "promotion", name, "-n", HOME, "--type=merge", "-p", '{"spec":{"approvedBy":"mallory"}}', check_it=False)
    check(forged.returncode != 0 and "mallory may not approve" in forged.stderr, forged.all)  # also not behind the command's back
    other = house.kubectl("patch", "promotion", name, "-n", HOME, "--type=merge", "-p", '{"spec":{"artifact":{"digest":"%s"}}}' % DIGEST.replace("ab", "cd"), check_it=False)
    check(other.returncode != 0 and "is not changed" in other.stderr, other.all)
    check(phase(house.get("Promotion", name)) == "Waiting", "somebody else's approval does nothing")
    done = house.cli("approve", name, "--as", "grace", "--output", "json")
    check(done.returncode == 0 and json.loads(done.stdout)["approvedBy"] == "grace", done.all)
    moved = house.wait("Promotion", lambda ps: next((p for p in ps if get_path(p, "status", "commit")), None), "its commit")
    check(phase(moved) in ("Running", "Succeeded"), moved["status"])
    one_error(house.cli("approve", name, "--as", "grace"), 1, name, "not waiting for approval")
    config.update()
    text = config.read("production/kustomization.yaml")
    check(DIGEST in text and text.startswith("# what production runs\n") and "# the service" in text, text)
    message = config.git("log", "-1", "--format=%B").stdout
    check("grace" in message and DIGEST[7:19] in message, message)
    # What was promoted is told from Git, by the server's repositories or by a folder alone.
    for words in ([], ["production"], ["app"]):
        told = house.cli("promote", "history", *words)
        check(told.returncode == 0 and "production" in told.stdout and "approved by grace" in told.stdout, told.all)
    entry = json.loads(house.cli("promote", "history", "--output", "json").stdout)[0]
    check(entry["digest"] == DIGEST and entry["run"] == "x" and entry["sourceCommit"] == "c" * 40 and entry["promotion"] == name, entry)
    alone = harness.slipway("promote", "history", "--repository", config.folder, "--output", "json")
    check(alone.returncode == 0 and json.loads(alone.stdout)[0]["commit"] == entry["commit"], alone.all)
    one_error(house.cli("promote", "history", "nosuch"), 1, "nosuch", "app, production")


def test_by_hand_where_others_have_a_word(house):
    """A closed window, or a pull request, is said at once and not waited for; a window can be overridden, and that is told."""
    config = house.git("hand-config")
    for name in ("held", "asked"):
        config.write(f"{name}/kustomization.yaml", "resources: []\nimages:\n- name: acme/hand\n  newTag: none\n")
    config.commit("Environments")
    config.push("HEAD:main")
    pipeline = json.loads(json.dumps(PIPELINE).replace('"app"', '"hand"').replace("acme/app", "acme/hand"))
    deny = [{"kind": "deny", "schedule": "* * * * *", "duration": "1h"}]
    pipeline["spec"]["repository"] = "hand-config"
    pipeline["spec"]["environments"] = [{"name": "held", "path": "held", "namespace": "default", "automatic": False, "approvers": ["ada"], "windows": deny},
                                        {"name": "asked", "path": "asked", "namespace": "default", "pullRequest": True}]
    apply(house, pipeline)
    digest = "sha256:" + "ef" * 32
    apply(house, {"apiVersion": "slipway.dev/v1", "kind": "Artifact", "metadata": {"name": "hand-1", "namespace": HOME},
                  "spec": {"service": "hand", "image": "acme/hand", "digest": digest, "tags": ["v1"], "repository": "hand", "commit": "c" * 40, "run": "x"}})
    house.patch("Artifact", "hand-1", {"status": {"phase": "Succeeded", "passedAt": "2026-01-01T00:00:00.000000Z"}}, subresource="status")
    house.wait("Promotion", lambda ps: next((p for p in ps if p["spec"]["environment"] == "held" and phase(p) == "Waiting"), None), "a promotion that waits")
    done = house.cli("approve", "hand-held", "--as", "ada")
    check(done.returncode == 0 and "approved by ada, and held back: no promotions during" in done.stdout, done.all)
    for more in ([], ["--override-window"]):
        asked = house.cli("promote", "hand", "--to", "asked", "--timeout", "20s", *more)
        check(asked.returncode == 0 and "waiting" in asked.stdout and "pull request 1 of hand-config waits to be merged" in asked.stdout, asked.all)
    held = house.cli("promote", "hand", "--to", "held", "--as", "ada", "--timeout", "20s")
    check(held.returncode == 0 and "held back: no promotions during" in held.stdout, held.all)
    config.update()
    check(digest not in config.read("held/kustomization.yaml"), "the window holds")
    over = house.cli("promote", "hand", "--to", "held", "--as", "ada", "--timeout", "20s", "--override-window")
    check(over.returncode == 0 and "committed" in over.stdout, over.all)
    config.update()
    check(digest in config.read("held/kustomization.yaml"), "it is there")
    told = house.cli("promote", "history", "held")
    check("past a window: ada, no promotions during" in told.stdout, told.all)


def test_superseded_request(house):
    """A promotion's pull request that a newer one overtakes is closed, with its refs."""
    config = house.git("asked-config")
    config.write("dev/kustomization.yaml", "resources: []\nimages:\n- name: acme/asked\n  newTag: none\n")
    config.commit("Environments")
    config.push("HEAD:main")
    pipeline = json.loads(json.dumps(PIPELINE).replace('"app"', '"asked"').replace("acme/app", "acme/asked"))
    pipeline["spec"]["repository"] = "asked-config"
    pipeline["spec"]["environments"] = [{"name": "dev", "path": "dev", "namespace": "default", "pullRequest": True}]
    apply(house, pipeline)

    def passed(n):
        apply(house, {"apiVersion": "slipway.dev/v1", "kind": "Artifact", "metadata": {"name": f"asked-{n}", "namespace": HOME},
                      "spec": {"service": "asked", "image": "acme/asked", "digest": "sha256:" + f"{n}" * 64, "tags": [f"v{n}"], "repository": "asked", "commit": "c" * 40, "run": f"r{n}"}})
        house.patch("Artifact", f"asked-{n}", {"status": {"phase": "Succeeded", "passedAt": f"2026-01-0{n}T00:00:00.000000Z"}}, subresource="status")

    def request(number, state):
        return house.wait("PullRequest", lambda rs: next((r for r in rs if r["spec"]["repository"] == "asked-config" and r["spec"]["number"] == number and get_path(r, "status", "state") == state), None), f"request {number} {state}")

    passed(1)
    request(1, "open")
    passed(2)
    closed = request(1, "closed")
    request(2, "open")
    check(closed["status"]["comment"].startswith("Closed: superseded by #2."), closed["status"])
    refs = config.git("ls-remote", "origin").stdout
    check("refs/pull/2/head" in refs and "refs/pull/1/" not in refs, refs)
    older = next(p for p in house.list("Promotion", HOME) if p["spec"]["service"] == "asked" and p["spec"]["artifact"]["run"] == "r1")
    check(phase(older) == "Skipped" and "superseded by" in older["status"]["message"], older["status"])


def test_promotion_into_nothing(house):
    """The environment's folder is not there: the promotion fails and says where."""
    broken = json.loads(json.dumps(PIPELINE).replace('"app"', '"lost"').replace("acme/app", "acme/lost"))
    broken["spec"]["environments"] = [{"name": "dev", "path": "nosuch", "namespace": "default"}]
    apply(house, broken)
    apply(house, {"apiVersion": "slipway.dev/v1", "kind": "Artifact", "metadata": {"name": "lost-1", "namespace": HOME},
                  "spec": {"service": "lost", "image": "acme/lost", "digest": DIGEST, "tags": ["v1"], "repository": "lost", "commit": "c" * 40, "run": "x"}})
    house.patch("Artifact", "lost-1", {"status": {"phase": "Succeeded", "passedAt": "2026-01-01T00:00:00.000000Z"}}, subresource="status")
    failed = house.wait("Promotion", lambda ps: next((p for p in ps if p["spec"]["service"] == "lost" and phase(p) == "Failed"), None), "the failed promotion")
    check("nosuch" in failed["status"]["message"], failed["status"])


def test_wrong_pipeline(house):
    wrong = json.loads(json.dumps(PIPELINE).replace('"app"', '"wrong"'))
    wrong["spec"]["environments"] = [{"name": "a", "path": "a", "after": "nosuch"}]
    result = apply(house, wrong, check_it=False)
    if result.returncode == 0:
        seen = house.wait("Pipeline", lambda ps: next((p for p in ps if p["metadata"]["name"] == "wrong" and get_path(p, "status", "message")), None), "what is wrong with it")
        check("nosuch" in seen["status"]["message"], seen["status"])
    else:
        check("nosuch" in result.all, result.all)
    house.kubectl("-n", HOME, "delete", "pipeline", "wrong", check_it=False)


def application(name, repository, path="app"):
    return {"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": {"name": name, "namespace": "argocd"},
            "spec": {"project": "default", "source": {"repoURL": f"http://slipway/git/{repository}.git", "path": path, "targetRevision": "main"},
                     "destination": {"server": "https://kubernetes.default.svc", "namespace": "default"}}}


def test_applications(house):
    config = house.git("apps")
    config.write("app/a.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: from-git}\ndata: {k: v}\n")
    config.commit("First")
    config.push("HEAD:main")
    apply(house, application("good", "apps"))
    house.wait("Application", lambda apps: next((a for a in apps if a["metadata"]["name"] == "good" and get_path(a, "status", "sync", "status") == "OutOfSync"), None), "OutOfSync", "argocd")
    done = house.cli("app", "sync", "good", "--timeout", "15s")
    check(done.returncode == 0 and "Succeeded" in done.stdout, done.all)
    check("from-git" in house.kubectl("get", "configmap", "-o", "name").stdout, "synced")
    check("Synced" in house.cli("app", "list").stdout and "from-git" in house.cli("app", "get", "good").stdout, "app get")
    history = json.loads(house.cli("app", "history", "good", "--output", "json").stdout)
    check(len(history) == 1, history)
    for words in (["app", "get", "good"], ["app", "list"]):
        json.loads(house.cli(*words, "--output", "json").stdout)
    # A manifest that cannot be read: where, and status 1.
    config.write("app/a.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: from-git\n data: x\n")
    config.commit("Broken")
    config.push("HEAD:main")
    house.wait("Application", lambda apps: next((a for a in apps if a["metadata"]["name"] == "good" and "a.yaml:5" in json.dumps(a["status"].get("conditions", []))), None), "the place of the error", "argocd")
    told = lambda event: lambda notices: next((n for n in notices if n["spec"]["event"] == event and n["spec"]["facts"]["application"] == "good"), None)
    check("a.yaml:5" in house.wait("Notice", told("app.unknown"), "people are told")["spec"]["text"], "why")
    failed = house.cli("app", "sync", "good", "--timeout", "15s")
    check(failed.returncode == 1 and "a.yaml:5" in failed.all, f"exit {failed.returncode}: {failed.all}")
    house.wait("Notice", told("app.sync-failed"), "people are told of the sync")
    check("from-git" in house.kubectl("get", "configmap", "-o", "name").stdout, "what ran goes on")
    # A repository that is not there.
    apply(house, application("lost", "nosuch"))
    house.wait("Application", lambda apps: next((a for a in apps if a["metadata"]["name"] == "lost" and "nosuch" in json.dumps(a.get("status", {}).get("conditions", []))), None), "no repository", "argocd")


def test_going_back_by_hand(house):
    config = house.git("back")
    ids = []
    for version in "12":
        config.write("app/a.yaml", f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: went-back}}\ndata: {{v: '{version}'}}\n")
        ids.append(config.commit(f"Version {version}"))
    config.push("HEAD:main")
    house.kubectl("apply", "-f", "-", input=json.dumps(application("back", "back")))
    value = lambda: house.get("ConfigMap", "went-back", "default")["data"]["v"]
    house.command("app", "sync", "back", "--revision", ids[0])
    check(value() == "1", "the revision that was asked for")
    house.wait("Application", lambda apps: next((a for a in apps if a["metadata"]["name"] == "back" and get_path(a, "status", "sync", "status") == "OutOfSync"), None), "compared with main", "argocd")
    house.command("app", "sync", "argocd/back")
    check(value() == "2", "main again")
    house.command("app", "rollback", "back")
    check(value() == "1", "what was deployed before")
    house.kubectl("-n", "argocd", "patch", "application", "back", "--type=merge", "-p", '{"spec":{"syncPolicy":{"automated":{}}}}')
    refused = house.cli("app", "rollback", "back", "0")
    check(refused.returncode != 0 and "its syncs are automatic" in refused.stderr, refused.all)
    house.wait("ConfigMap", lambda maps: next((m for m in maps if m["metadata"]["name"] == "went-back" and m["data"]["v"] == "2"), None), "Git again", "default")


def test_deletion_hooks_and_orphans(house):
    """What an Application leaves behind and what others left in its namespace."""
    config = house.git("leaving")
    hook = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: leaving-{0}\n  annotations: {{argocd.argoproj.io/hook: {1}, argocd.argoproj.io/hook-delete-policy: BeforeHookCreation}}\n"
    config.write("app/a.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: leaving-a}\n")
    config.write("app/pre.yaml", hook.format("pre", "PreDelete"))
    config.write("app/post.yaml", hook.format("post", "PostDelete"))
    config.commit("First")
    config.push("HEAD:main")
    house.kubectl("create", "namespace", "leaving")
    house.kubectl("-n", "leaving", "create", "configmap", "lost")
    apply(house, {"apiVersion": "argoproj.io/v1alpha1", "kind": "AppProject", "metadata": {"name": "watched", "namespace": "argocd"},
                  "spec": {"sourceRepos": ["*"], "destinations": [{"server": "*", "namespace": "*"}], "orphanedResources": {"warn": True}}})
    app = application("leaving", "leaving")
    app["metadata"]["finalizers"] = ["resources-finalizer.argocd.argoproj.io"]
    app["spec"].update({"project": "watched", "syncPolicy": {"automated": {}}})
    app["spec"]["destination"]["namespace"] = "leaving"
    apply(house, app)

    def names():
        return set(house.kubectl("-n", "leaving", "get", "configmap", "-o", "name").stdout.split()) - {"configmap/kube-root-ca.crt"}

    def conditions(a):
        return [c["message"] for c in get_path(a, "status", "conditions") or []]

    held = house.wait("Application", lambda apps: next((a for a in apps if a["metadata"]["name"] == "leaving" and get_path(a, "status", "sync", "status") == "Synced" and "Application has 1 orphaned resources" in conditions(a)), None), "synced, with an orphan", "argocd")
    check("post-delete-finalizer.argocd.argoproj.io/cleanup" in held["metadata"]["finalizers"], held["metadata"])
    check(names() == {"configmap/lost", "configmap/leaving-a"}, names())
    house.kubectl("-n", "argocd", "delete", "application", "leaving", "--timeout=20s")
    check(names() == {"configmap/lost", "configmap/leaving-pre", "configmap/leaving-post"}, names())


def test_actions(house):
    config = house.git("acted")
    config.write("app/d.yaml", json.dumps({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "acted"}, "spec": {
        "replicas": 0, "selector": {"matchLabels": {"a": "b"}},
        "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "none"}]}}}}))
    config.write("app/c.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: acted}\n")
    config.commit("Both")
    config.push("HEAD:main")
    apply(house, application("acted", "acted"))
    house.wait("Application", lambda apps: next((a for a in apps if a["metadata"]["name"] == "acted" and get_path(a, "status", "sync", "status") == "OutOfSync"), None), "OutOfSync", "argocd")
    check(house.cli("app", "sync", "acted", "--timeout", "15s").returncode == 0, "synced")
    actions = json.loads(house.cli("app", "actions", "list", "acted", "--output", "json").stdout)
    check([(a["action"], a["disabled"]) for a in actions] == [("restart", False), ("pause", False), ("resume", True), ("scale", False)], actions)
    run = lambda *words: house.cli("app", "actions", "run", "acted", *words)
    done = run("restart", "--kind", "Deployment", "--resource-name", "acted")
    check(done.returncode == 0 and "Deployment default/acted: restart" in done.stdout, done.all)
    check(run("scale", "--param", "replicas=0").returncode == 0 and run("pause").returncode == 0, "the only one that has it")
    now = json.loads(house.kubectl("get", "deployment", "acted", "-o", "json").stdout)
    check("kubectl.kubernetes.io/restartedAt" in now["spec"]["template"]["metadata"]["annotations"] and now["spec"]["paused"], now["spec"])
    one_error(run("pause"), 1, "Deployment default/acted", "pause is not possible as it is now")
    one_error(run("scale", "--param", "replicas=x"), 2, "invalid number: x")
    one_error(run("scale"), 2, "scale wants the parameter replicas", "--param replicas=VALUE")
    one_error(run("fly"), 1, "acted has no such object with an action fly", "slipway app actions list acted")
    one_error(run("fly", "--kind", "Deployment"), 1, "there are: restart, pause, resume, scale")
    one_error(house.cli("app", "actions", "list", "nosuch"), 1, "there is no application nosuch")


def test_customizations(house):
    """What argocd-cm says of a kind: what is ignored by jq, health and an action in Lua."""
    config = house.git("ruled")
    config.write("app/s.yaml", "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: ruled, labels: {team: a}}\n")
    config.commit("An account")
    config.push("HEAD:main")
    settings = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "argocd-cm", "namespace": "argocd"}, "data": {
        "resource.customizations.ignoreDifferences.ServiceAccount": "jqPathExpressions: ['.metadata.labels | select(.team) | .team']",
        "resource.customizations.health.ServiceAccount": "return {status = 'Suspended', message = 'of team ' .. obj.metadata.labels.team}",
        "resource.customizations.actions.ServiceAccount": "discovery.lua: return {move = {params = {{name = 'team'}}}}\n"
                                                          "definitions:\n- name: move\n  action.lua: |\n    obj.metadata.labels.team = actionParams.team\n    return obj\n"}}
    apply(house, settings)
    app = application("ruled", "ruled")
    app["spec"]["syncPolicy"] = {"automated": {"selfHeal": True}}
    apply(house, app)
    message = lambda a: next((r.get("health", {}).get("message", "") for r in get_path(a, "status", "resources") or []), "")
    found = lambda team: lambda apps: next((a for a in apps if a["metadata"]["name"] == "ruled" and get_path(a, "status", "sync", "status") == "Synced"
                                            and get_path(a, "status", "health", "status") == "Suspended" and message(a) == f"of team {team}"), None)
    house.wait("Application", found("a"), "its health by the script", "argocd")
    actions = json.loads(house.cli("app", "actions", "list", "ruled", "--output", "json").stdout)
    check([(a["action"], a["parameters"]) for a in actions] == [("move", ["team"])], actions)
    done = house.cli("app", "actions", "run", "ruled", "move", "--param", "team=b")
    check(done.returncode == 0, done.all)
    house.wait("Application", found("b"), "what the action wrote is left alone", "argocd")
    settings["data"] = {"resource.customizations.ignoreDifferences.ServiceAccount": "jqPathExpressions: ['.metadata.labels[']"}
    apply(house, settings)
    house.wait("Application", lambda apps: next((a for a in apps if a["metadata"]["name"] == "ruled" and "is no jq program" in json.dumps(a["status"].get("conditions", []))), None), "what is wrong", "argocd")
    diff = house.cli("app", "diff", "ruled")
    check(diff.returncode != 0 and "is no jq program" in diff.all, diff.all)
    house.kubectl("delete", "configmap", "argocd-cm", "-n", "argocd")


def test_bootstrap(house):
    config = house.git("whole")
    config.write("apps/a.yaml", json.dumps(application("child", "whole", "child")))
    config.write("child/c.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: grandchild}\n")
    config.commit("Everything")
    config.push("HEAD:main")
    done = house.cli("bootstrap", "http://slipway/git/whole.git", "--timeout", "15s")
    check(done.returncode == 0 and "not in Git" in done.stderr, done.all)
    check("child" in house.cli("app", "list").stdout, "the Applications are there")
    config.write("apps/b.yaml", json.dumps(application("broken", "whole", "nowhere")))
    config.commit("One that cannot be restored")
    config.push("HEAD:main")
    told = house.cli("bootstrap", "http://slipway/git/whole.git", "--timeout", "15s")
    check(told.returncode == 0 and "not restored: broken: " in told.stderr and "nowhere" in told.stderr, told.all)
    failed = house.cli("bootstrap", "http://slipway/git/whole.git", "--timeout", "15s", "--wait", "--output", "json")
    check(failed.returncode == 1 and json.loads(failed.stdout)["metadata"]["name"] == "whole-git-root", failed.all)
    wrong = house.cli("bootstrap", "http://slipway/git/nosuch.git", "--timeout", "5s")
    check(wrong.returncode != 0 and "nosuch" in wrong.stderr, wrong.all)


harness.main(globals())
