import { describe, expect, it } from "vitest";
import type { Obj } from "../kube";
import { asks, type Job } from "./graph";
import { light } from "./path";
import { median, passRate, sorted, type TestHistory } from "./tests";
import { checkInputs, defaultsOf, given, recentRuns, until, type Input } from "./workflows";

const inputs: Input[] = [
  { name: "level", type: "choice", options: ["patch", "minor"], default: "patch" },
  { name: "count", type: "number", required: true },
  { name: "dry", type: "boolean", default: "true" },
  { name: "loud", type: "boolean" },
  { name: "note", type: "string" },
];

describe("inputs of a workflow", () => {
  it("begin with their defaults", () => expect(defaultsOf(inputs)).toEqual({ level: "patch", count: "", dry: "true", loud: "false", note: "" }));
  it("say what is wrong", () => {
    expect(checkInputs(inputs, defaultsOf(inputs))).toEqual({ count: "it is required" });
    expect(checkInputs(inputs, { ...defaultsOf(inputs), count: "many" })).toEqual({ count: "want a number" });
    expect(checkInputs(inputs, { ...defaultsOf(inputs), count: "1e3" })).toEqual({});
  });
  it("only what differs is sent", () => {
    expect(given(inputs, { ...defaultsOf(inputs), count: "3" })).toEqual({ count: "3" });
    expect(given(inputs, { level: "minor", count: "3", dry: "false", loud: "true", note: "x" })).toEqual({ level: "minor", count: "3", dry: "false", loud: "true", note: "x" });
  });
});

describe("what waits", () => {
  const job = (key: string, waiting?: Job["waiting"]): Job => ({ key, name: key, phase: "Waiting", waiting });
  it("is asked for once an environment", () => {
    const since = "2026-01-01T00:00:00Z";
    const open = asks([job("a", { since, environment: "p", who: ["ada"] }), job("b", { since, environment: "p", who: ["ada"] }), job("c", { since, environment: "q", byHand: true }), job("d", { since, environment: "t", until: since }), job("e")]);
    expect(open.map((one) => [one.environment, one.jobs.map((j) => j.key)])).toEqual([["p", ["a", "b"]]]);
  });
  it("a manual job is a waiting one", () => expect(light("Manual")).toBe("waiting"));
});

describe("workflows", () => {
  const run = (name: string, file: string, at: string) => ({ metadata: { name, uid: name, resourceVersion: "", creationTimestamp: at }, spec: { workflow: file, change: { repository: "shop" } } }) as Obj;
  it("show their last runs, oldest first", () => {
    const workflow = { metadata: {}, spec: { file: "a", repository: "shop" } } as unknown as Obj;
    expect(recentRuns([run("1", "a", "1"), run("3", "a", "3"), run("2", "b", "2"), run("4", "a", "4")], workflow, 2).map((r) => r.metadata.name)).toEqual(["3", "4"]);
  });
  it.each([
    [-5, "now"],
    [30, "in less than a minute"],
    [600, "in 10 min"],
    [7200, "in 2 h"],
    [864000, "in 10 d"],
  ])("due in %d s", (seconds, want) => expect(until(new Date(seconds * 1000).toISOString(), 0)).toBe(want));
});

describe("tests", () => {
  const test = (name: string, outcomes: string, flaky = false): TestHistory => ({
    job: "test",
    suite: "s",
    name,
    flaky,
    strip: [...outcomes].map((o, i) => ({ outcome: o === "P" ? "passed" : o === "F" ? "failed" : "skipped", commit: "c", run: "r", attempt: 1, job: "test", at: "", millis: 10 * (i + 1) })),
  });
  it("flaky first, then failing", () => expect(sorted([test("a", "P"), test("b", "PF"), test("z", "FP", true)]).map((t) => t.name)).toEqual(["z", "b", "a"]));
  it("rates leave skipped ones out", () => expect([passRate(test("a", "PPFS")), passRate(test("b", "S"))]).toEqual(["67 %", ""]));
  it("median", () => expect([median(test("a", "PPP")), median(test("b", "S"))]).toEqual([20, 0]));
});
