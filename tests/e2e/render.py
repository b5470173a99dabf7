"""`slipway render` where `kustomize build` stood: its targets, options and outputs."""
import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import check, folder, main, need, one_error, run, slipway, write

CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: one}\ndata: {v: '1'}\n"


def tree():
    root = folder()
    write(root, "base/a.yaml", CONFIG)
    write(root, "base/kustomization.yaml", "resources: [a.yaml]\n")
    write(root, "shared/patch.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: one}\ndata: {w: '2'}\n")
    write(root, "over/kustomization.yaml", "resources: [../base]\npatches: [{path: ../shared/patch.yaml}]\n")
    return root


def test_the_current_folder_is_the_target():
    root = tree()
    result = slipway("render", cwd=os.path.join(root, "base"))
    check(result.returncode == 0 and "name: a" in result.stdout, result.all)


def test_files_beside_the_folder_when_allowed():
    root = tree()
    one_error(slipway("render", root + "/over"), 3, "is not in or below", "--load-restrictor LoadRestrictionsNone")
    result = slipway("render", root + "/over", "--load-restrictor", "LoadRestrictionsNone")
    check(result.returncode == 0 and 'w: "2"' in result.stdout, result.all)
    one_error(slipway("render", root + "/over", "--load-restrictor", "all"), 2, "want LoadRestrictionsRootOnly or LoadRestrictionsNone")
    write(root, "gone/kustomization.yaml", "resources: [../nowhere]\n")
    one_error(slipway("render", root + "/gone"), 1, "nowhere", "no such file or folder")


def test_output_goes_to_a_file_or_to_one_for_each_object():
    root = tree()
    result = slipway("render", root + "/base", "-o", root + "/out.yaml")
    check(result.returncode == 0 and result.stdout == "", result.all)
    check(open(root + "/out.yaml").read() == slipway("render", root + "/base").stdout, "the same text")
    write(root, "base/b.yaml", CONFIG.replace("namespace: one", "namespace: two"))
    write(root, "base/n.yaml", "apiVersion: networking.k8s.io/v1\nkind: IngressClass\nmetadata: {name: c}\n")
    write(root, "base/kustomization.yaml", "resources: [a.yaml, b.yaml, n.yaml]\n")
    os.makedirs(root + "/out")
    check(slipway("render", root + "/base", "--output", root + "/out").returncode == 0, "rendered")
    check(sorted(os.listdir(root + "/out")) == ["networking.k8s.io_v1_ingressclass_c.yaml", "one_v1_configmap_a.yaml", "two_v1_configmap_a.yaml"], os.listdir(root + "/out"))
    check(len(json.loads(slipway("render", root + "/base", "-o", "json").stdout)) == 3, "json as everywhere")


def test_options_without_effect_say_so():
    result = slipway("render", tree() + "/base", "--enable-helm", "--reorder", "none")
    check(result.returncode == 0 and "--enable-helm has no effect here" in result.stderr, result.all)


def test_jsonnet_of_a_folder():
    root = folder()
    write(root, "app/a.yaml", CONFIG)
    write(root, "app/b.jsonnet", "function(n='b') [(import '../lib/map.libsonnet')(n, std.extVar('v')), null]\n")
    write(root, "lib/map.libsonnet", "function(n, v) { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: n }, data: { v: v, w: import 'w' } }\n")
    write(root, "more/w", "'2'")
    os.makedirs(root + "/.git")
    result = slipway("render", root + "/app", "--ext-str", "v=1=1", "--jpath", root + "/more")
    check(result.returncode == 0 and result.stdout.count("kind: ConfigMap") == 2 and "v: 1=1" in result.stdout and 'w: "2"' in result.stdout, result.all)
    result = slipway("render", root + "/app", "--ext-code", "v='x'", "--tla-code", "n='c' + 'd'", "--jpath", root + "/more")
    check(result.returncode == 0 and "name: cd" in result.stdout, result.all)
    one_error(slipway("render", root + "/app", "--ext-str", "v=1"), 2, "app/b.jsonnet:", "lib/map.libsonnet:1:", 'couldn\'t open import "w": there is no such file in', "/lib")
    one_error(slipway("render", root + "/app", "--ext-str", "v"), 2, "--ext-str \"v\": want NAME=VALUE")
    write(root, "app/b.jsonnet", "importstr '../../x'\n")
    one_error(slipway("render", root + "/app"), 2, "b.jsonnet:1:1", "leaves the repository")


def test_a_folder_of_another_repository():
    need("git")
    root = tree()
    env = {**os.environ, "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b", "GIT_CONFIG_GLOBAL": "/dev/null"}
    for argv in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-q", "-m", "x"], ["tag", "v1"]):
        check(run("git", "-C", root, *argv, env=env).returncode == 0, argv)
    target = f"file://{root}//base?ref=v1"
    result = slipway("render", target, "--data", folder())
    check(result.returncode == 0 and "name: a" in result.stdout, result.all)
    one_error(slipway("render", target, "--data", folder(), "--remote-host", "example.org"), 3, "example.org")


if __name__ == "__main__":
    main(globals())
