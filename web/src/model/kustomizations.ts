// A Flux Kustomization in the words of its own status: https://fluxcd.io/flux/components/kustomize/kustomizations/
import type { Obj } from "../kube";
import type { Condition } from "./applications";
import type { Light } from "./path";
import { short } from "./text";

export const home = "flux-system";
export const nameOf = (one: Obj): string => (one.metadata.namespace === home ? one.metadata.name : `${one.metadata.namespace}/${one.metadata.name}`);

/** "main@sha1:1a2b…" as people say it: "main@1a2b3c"; other revisions (tags, digests) cut short. */
export function revisionOf(revision: string | undefined): string {
  const found = /^(?:(.*)@)?(?:sha1|sha256):([0-9a-f]+)$/.exec(revision ?? "");
  return found ? `${found[1] ? `${found[1]}@` : ""}${short(found[2])}` : (revision ?? "");
}

interface FluxCondition {
  type: string;
  status: string;
  reason?: string;
  message?: string;
}
export interface State {
  light: Light;
  word: string; // Ready, Suspended, or Flux's reason
  revision: string; // that is applied
  tried: string; // another one, that was tried since
  conditions: Condition[];
}
export function stateOf(one: Obj): State {
  const list: FluxCondition[] = one.status?.conditions ?? [];
  const of = (type: string) => list.find((condition) => condition.type === type);
  const ready = of("Ready");
  const works = of("Reconciling")?.status === "True";
  const revision = revisionOf(one.status?.lastAppliedRevision);
  const attempted = revisionOf(one.status?.lastAttemptedRevision);
  const conditions: Condition[] = [];
  if (ready?.status === "False") conditions.push({ type: ready.reason ?? "Ready", message: ready.message ?? "", bad: ready.reason !== "DependencyNotReady" });
  else if (works) conditions.push({ type: "Reconciling", message: of("Reconciling")!.message ?? "", bad: false });
  const found = { revision, tried: attempted !== revision ? attempted : "", conditions };
  if (one.spec.suspend) return { light: "waiting", word: "Suspended", ...found };
  if (ready?.status === "True") return { light: "succeeded", word: "Ready", ...found };
  if (ready?.status === "False") return { light: ready.reason === "DependencyNotReady" ? "waiting" : "failed", word: "Not ready", ...found };
  return { light: works || ready ? "running" : "pending", word: works || ready ? "Reconciling" : "not looked at yet", ...found };
}

export interface Entry {
  group: string;
  version: string;
  kind: string;
  namespace?: string;
  name: string;
}
/** What it holds. An entry's id is NAMESPACE_NAME_GROUP_KIND; names of RBAC objects have "__" for a colon. */
export function inventoryOf(one: Obj): Entry[] {
  const entries: { id: string; v: string }[] = one.status?.inventory?.entries ?? [];
  return entries.flatMap(({ id, v }) => {
    const found = /^([^_]*)_(.*)_([^_]*)_([^_]+)$/.exec(id);
    return found ? [{ group: found[3]!, version: v, kind: found[4]!, namespace: found[1] || undefined, name: found[2]!.replaceAll("__", ":") }] : [];
  });
}
