import { describe, expect, it } from "vitest";
import type { Obj } from "../kube";
import { conditionsOf, nameOf, operationOf, sourceOf } from "./applications";

const app = (spec: object, status: object = {}, namespace = "argocd"): Obj => ({ metadata: { name: "shop", namespace, uid: "u", resourceVersion: "1", creationTimestamp: "" }, spec, status });
const now = Date.parse("2026-01-01T00:00:10Z");
const at = "2026-01-01T00:00:00Z";
const commit = "1a2b3c4d5e6f".padEnd(40, "0");

describe("an Application", () => {
  it("is named with its namespace when that is not the home one", () => expect([nameOf(app({})), nameOf(app({}, {}, "team"))]).toEqual(["shop", "team/shop"]));
  it.each([
    ["one source", app({ source: { path: "dev" } }, { sync: { revision: commit } }), "dev at 1a2b3c4d5e6f"],
    ["nothing compared so far", app({ source: { path: "dev" } }), "dev"],
    ["a chart", app({ source: { chart: "redis" } }, { sync: { revision: "1.2.3" } }), "redis at 1.2.3"],
    ["several sources", app({ sources: [{}, {}] }, { sync: { revisions: [commit, "1.2.3"] } }), "2 sources at 1a2b3c4d5e6f, 1.2.3"],
    ["several sources, nothing compared so far", app({ sources: [{}, {}] }), "2 sources"],
    ["one of several", app({ sources: [{ path: "dev" }] }), "dev"],
  ])("%s", (_, one, want) => expect(sourceOf(one)).toBe(want));
});

describe("its operation", () => {
  const of = (state: object) => operationOf(app({}, { operationState: { startedAt: at, ...state } }), now);
  const hook = { group: "batch", version: "v1", kind: "Job", namespace: "shop", name: "migrate", hookType: "PreSync" };
  const job = { group: "batch", kind: "Job", namespace: "shop", name: "migrate" };
  it.each([
    ["none", {}, null],
    ["succeeded", { phase: "Succeeded", finishedAt: at, message: "successfully synced (all tasks run)" }, { light: "succeeded", text: "synced 10 s ago", message: "", parts: [] }],
    ["a dry run", { phase: "Succeeded", finishedAt: at, operation: { sync: { dryRun: true } } }, { light: "succeeded", text: "dry run 10 s ago", message: "", parts: [] }],
    [
      "a hook that runs",
      { phase: "Running", message: "waiting for hook migrate", syncResult: { resources: [{ ...hook, hookPhase: "Running", message: "1 active" }, { ...hook, name: "before", hookPhase: "Succeeded" }, { kind: "ConfigMap", name: "a", hookPhase: "Running" }] } },
      { light: "running", text: "sync runs for 10 s", message: "waiting for hook migrate", parts: [{ what: "PreSync hook Job", message: "1 active", of: job }] },
    ],
    ["told to end", { phase: "Terminating", message: "x" }, { light: "running", text: "sync is being terminated", message: "", parts: [] }],
    [
      "failed, tried again",
      { phase: "Failed", finishedAt: at, retryCount: 2, message: "one object failed", syncResult: { resources: [{ kind: "Service", name: "s", status: "SyncFailed", message: "no port" }, { kind: "ConfigMap", name: "a", status: "Synced" }, { kind: "Job", name: "j", hookType: "Sync", hookPhase: "Failed", message: "object failed" }] } },
      { light: "failed", text: "sync failed 10 s ago, 2 retries", message: "one object failed", parts: [{ what: "Service", message: "no port", of: { group: "", kind: "Service", namespace: undefined, name: "s" } }, { what: "Sync hook Job", message: "", of: { group: "", kind: "Job", namespace: undefined, name: "j" } }] },
    ],
    ["an error", { phase: "Error", retryCount: 1, message: "refused" }, { light: "failed", text: "sync failed, 1 retry", message: "refused", parts: [] }],
  ])("%s", (_, state, want) => expect(of(state)).toEqual(want));
});

describe("its conditions", () => {
  it("say what the operation need not say again", () => {
    const both = { conditions: [{ type: "DeletionWarning", message: "waiting for approval" }], operationState: { phase: "Running", message: "waiting for approval" } };
    expect([operationOf(app({}, both), now)!.message, conditionsOf(app({}, both)).length]).toEqual(["", 1]);
  });
  it("come with errors first, without what the operation says", () => {
    const conditions = [
      { type: "SyncWindowWarning", message: "held back" },
      { type: "DependencyNotReady", message: "waits" },
      { type: "SyncError", message: "Failed last sync attempt to 1a2b3c4: no port" },
      { type: "ComparisonError", message: "no such path" },
    ];
    const failed = { phase: "Failed", message: "no port" };
    const seen = (status: object) => conditionsOf(app({}, { conditions, ...status })).map((one) => `${one.type} ${one.bad}`);
    expect(seen({ operationState: failed })).toEqual(["ComparisonError true", "SyncWindowWarning false", "DependencyNotReady false"]);
    expect(seen({})).toEqual(["SyncError true", "ComparisonError true", "SyncWindowWarning false", "DependencyNotReady false"]);
  });
});
