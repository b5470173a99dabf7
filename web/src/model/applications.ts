// An Application's state in lines that people read: what a sync does or did, what conditions say, where it stands.
// https://argo-cd.readthedocs.io/en/stable/operator-manual/app-any-namespace/ for those outside the home namespace.
import type { Obj } from "../kube";
import type { Light } from "./path";
import { age, count, short } from "./text";

export const home = "argocd";
export const nameOf = (app: Obj): string => (app.metadata.namespace === home ? app.metadata.name : `${app.metadata.namespace}/${app.metadata.name}`);

/** "production at 1a2b3c", "2 sources at 1a2b3c, v1.0"; no "at" while no revision is known. */
export function sourceOf(app: Obj): string {
  const { source, sources } = app.spec;
  const known: string[] = sources ? (app.status?.sync?.revisions ?? []) : [app.status?.sync?.revision];
  const revisions = known.filter(Boolean).map(short);
  const what = sources ? (sources.length === 1 ? (sources[0].path ?? sources[0].chart ?? "1 source") : count(sources.length, "source")) : (source?.path ?? source?.chart ?? "");
  return [what, revisions.length > 0 && `at ${revisions.join(", ")}`].filter(Boolean).join(" ");
}

export interface Part {
  what: string; // "PreSync hook Job migrate"
  message: string;
  of: { group: string; kind: string; namespace?: string; name: string };
}
export interface Operation {
  light: Light;
  text: string; // "synced 2 s ago"
  message: string; // why, of one that runs or failed
  parts: Part[]; // hooks that run, or what failed
}
interface Result {
  group?: string;
  kind: string;
  namespace?: string;
  name: string;
  status?: string;
  hookType?: string;
  hookPhase?: string;
  message?: string;
}

/** `said`: what the operation says; it is not said twice. */
function partOf(result: Result, said: string): Part {
  const what = `${result.hookType ? `${result.hookType} hook ` : ""}${result.kind}`;
  return { what, message: said.includes(result.message ?? "") ? "" : result.message!, of: { group: result.group ?? "", kind: result.kind, namespace: result.namespace, name: result.name } };
}

/** What the last sync, or the one under way, comes to; null when there was none. */
export function operationOf(app: Obj, now: number): Operation | null {
  const { phase, message: said = "", startedAt, finishedAt, retryCount, operation, syncResult } = app.status?.operationState ?? {};
  if (!phase) return null;
  const message = (app.status?.conditions ?? []).some((one: { message: string }) => one.message === said) ? "" : said; // once is enough
  const results: Result[] = syncResult?.resources ?? [];
  const name = operation?.sync?.dryRun ? "dry run" : "sync";
  const tried = retryCount > 0 ? `, ${count(retryCount, "retry", "retries")}` : "";
  const ago = age(finishedAt, now) && ` ${age(finishedAt, now)} ago`;
  switch (phase) {
    case "Running":
      return { light: "running", text: `${name} runs${age(startedAt, now) && ` for ${age(startedAt, now)}`}${tried}`, message, parts: results.filter((r) => r.hookType && r.hookPhase === "Running").map((r) => partOf(r, said)) };
    case "Terminating":
      return { light: "running", text: `${name} is being terminated`, message: "", parts: [] };
    case "Succeeded":
      return { light: "succeeded", text: `${name === "sync" ? "synced" : name}${ago}`, message: "", parts: [] };
    default:
      return { light: "failed", text: `${name} failed${ago}${tried}`, message, parts: results.filter((r) => r.status === "SyncFailed" || r.hookPhase === "Failed").map((r) => partOf(r, said)) };
  }
}

export interface Condition {
  type: string;
  message: string;
  bad: boolean; // an error; else it warns
}
/** What stands against it, errors first; what the operation says already is left out. */
export function conditionsOf(app: Obj): Condition[] {
  const { phase, message } = app.status?.operationState ?? {};
  const list: { type: string; message: string }[] = app.status?.conditions ?? [];
  return list
    .filter((one) => !(one.type === "SyncError" && ["Failed", "Error"].includes(phase) && message && one.message.endsWith(message)))
    .map((one) => ({ type: one.type, message: one.message, bad: one.type.endsWith("Error") }))
    .sort((a, b) => Number(b.bad) - Number(a.bad));
}
