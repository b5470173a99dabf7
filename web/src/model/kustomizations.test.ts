import { describe, expect, it } from "vitest";
import type { Obj } from "../kube";
import { inventoryOf, nameOf, revisionOf, stateOf } from "./kustomizations";

const one = (spec: object, status: object = {}, namespace = "flux-system"): Obj => ({ metadata: { name: "apps", namespace, uid: "u", resourceVersion: "1", creationTimestamp: "" }, spec, status });
const commit = "1a2b3c4d5e6f".padEnd(40, "0");

describe("a Kustomization", () => {
  it("is named with its namespace when that is not Flux's own", () => expect([nameOf(one({})), nameOf(one({}, {}, "team"))]).toEqual(["apps", "team/apps"]));
  it.each([
    [`main@sha1:${commit}`, "main@1a2b3c4d5e6f"],
    [`latest@sha256:${"ab".repeat(32)}`, "latest@abababababab"],
    [`sha256:${"ab".repeat(32)}`, "abababababab"],
    ["6.3.5", "6.3.5"],
    [undefined, ""],
  ])("revision %s", (revision, want) => expect(revisionOf(revision)).toBe(want));
  const ready = (status: string, reason: string, message = "m") => ({ type: "Ready", status, reason, message });
  const reconciling = { type: "Reconciling", status: "True", reason: "Progressing", message: "waiting for a" };
  it.each([
    ["applied", one({}, { conditions: [ready("True", "ReconciliationSucceeded")] }), ["succeeded", "Ready", []]],
    ["under way", one({}, { conditions: [reconciling, ready("Unknown", "Progressing")] }), ["running", "Reconciling", ["Reconciling waiting for a false"]]],
    ["failed", one({}, { conditions: [reconciling, ready("False", "BuildFailed")] }), ["failed", "Not ready", ["BuildFailed m true"]]],
    ["waits for another", one({}, { conditions: [ready("False", "DependencyNotReady")] }), ["waiting", "Not ready", ["DependencyNotReady m false"]]],
    ["suspended", one({ suspend: true }, { conditions: [ready("True", "ReconciliationSucceeded")] }), ["waiting", "Suspended", []]],
    ["not looked at", one({}), ["pending", "not looked at yet", []]],
  ])("%s", (_, it, want) => {
    const state = stateOf(it);
    expect([state.light, state.word, state.conditions.map((c) => `${c.type} ${c.message} ${c.bad}`)]).toEqual(want);
  });
  it("says what it tried besides what is applied", () => {
    expect(stateOf(one({}, { lastAppliedRevision: "1", lastAttemptedRevision: "2" }))).toMatchObject({ revision: "1", tried: "2" });
    expect(stateOf(one({}, { lastAppliedRevision: "1", lastAttemptedRevision: "1" }))).toMatchObject({ revision: "1", tried: "" });
  });
  it("holds what its inventory says", () => {
    const entries = ["shop_web_apps_Deployment", "shop_settings__ConfigMap", "_system__view_rbac.authorization.k8s.io_ClusterRole", "nonsense"].map((id) => ({ id, v: "v1" }));
    expect(inventoryOf(one({}, { inventory: { entries } })).map((e) => [e.namespace, e.name, e.group, e.kind])).toEqual([
      ["shop", "web", "apps", "Deployment"],
      ["shop", "settings", "", "ConfigMap"],
      [undefined, "system:view", "rbac.authorization.k8s.io", "ClusterRole"],
    ]);
  });
});
