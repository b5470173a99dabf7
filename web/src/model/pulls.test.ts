import { describe, expect, it } from "vitest";
import type { Obj } from "../kube";
import { commentOf, ending, stateOf } from "./pulls";

const pull = (status: object): Obj => ({ metadata: { name: "p", uid: "p", resourceVersion: "1", creationTimestamp: "" }, spec: {}, status });
const now = Date.parse("2026-01-01T00:02:00Z");
const at = "2026-01-01T00:00:00Z";

describe("a pull request", () => {
  it.each([
    ["closed", pull({ state: "closed", message: "by admin", closedAt: at, comment: "Closed: by admin.\n\n## Checks" }), ["closed", "cancelled", "by admin, 2 min ago", "## Checks"]],
    ["closed before it had a comment", pull({ state: "closed", message: "superseded by #4", comment: "Closed: superseded by #4." }), ["closed", "cancelled", "superseded by #4", ""]],
    ["merged", pull({ state: "merged", mergedBy: "ada", mergedAt: at, comment: "x" }), ["merged", "succeeded", "by ada, 2 min ago", "x"]],
    ["pushed to the branch by another way", pull({ state: "merged" }), ["merged", "succeeded", "", ""]],
    ["open, in conflict", pull({ message: "conflicts with main", checksState: "Succeeded" }), ["open", "succeeded", "", ""]],
  ])("%s", (_, one, want) => expect([stateOf(one).word, stateOf(one).light, ending(one, now), commentOf(one)]).toEqual(want));
});
