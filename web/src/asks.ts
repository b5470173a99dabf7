// What people ask for on the page: the same fields that the commands write, in the name of who is signed in.
import { mergePatch, pathOf, request, token, type Obj } from "./kube";
import type { Ask } from "./model/rollout";

let asked: { token: string; name: Promise<string> } | null = null;

/** Whose token this is, as the server knows it. */
export function me(): Promise<string> {
  const mine = token() ?? "";
  if (asked?.token === mine) return asked.name;
  const review = { apiVersion: "authentication.k8s.io/v1", kind: "SelfSubjectReview" };
  const name = request("/apis/authentication.k8s.io/v1/selfsubjectreviews", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(review) })
    .then((answer) => answer.json())
    .then((said: { status: { userInfo: { username: string } } }) => said.status.userInfo.username);
  asked = { token: mine, name };
  name.catch(() => (asked = null));
  return name;
}

export async function approve(promotion: string): Promise<void> {
  await mergePatch(`${pathOf.own("promotions")}/${promotion}`, { spec: { approvedBy: await me() } });
}
export async function merge(pull: Obj): Promise<void> {
  await mergePatch(`${pathOf.own("pullrequests")}/${pull.metadata.name}`, { spec: { merge: { by: await me() } } });
}
export async function close(pull: Obj): Promise<void> {
  await mergePatch(`${pathOf.own("pullrequests")}/${pull.metadata.name}`, { spec: { close: { by: await me() } } });
}
// In its own namespace: not all Applications are at home.
const appPath = (app: Obj) => `/apis/argoproj.io/v1alpha1/namespaces/${app.metadata.namespace}/applications/${app.metadata.name}`;

export async function sync(app: Obj): Promise<void> {
  await mergePatch(appPath(app), { operation: { initiatedBy: { username: await me() }, sync: {} } });
}
/** Asks to look at the repository now; the controller takes the word away when it has. */
export async function refresh(app: Obj): Promise<void> {
  await mergePatch(appPath(app), { metadata: { annotations: { "argocd.argoproj.io/refresh": "normal" } } });
}
export async function terminate(app: Obj): Promise<void> {
  await mergePatch(appPath(app), { status: { operationState: { phase: "Terminating" } } });
}
/** Asks Flux's way to apply a Kustomization now. */
export async function reconcile(one: Obj): Promise<void> {
  const path = `/apis/kustomize.toolkit.fluxcd.io/v1/namespaces/${one.metadata.namespace}/kustomizations/${one.metadata.name}`;
  await mergePatch(path, { metadata: { annotations: { "reconcile.fluxcd.io/requestedAt": new Date().toISOString() } } });
}
/** Lets a sync delete what it asked about, this once. */
export async function approveDeletion(app: Obj): Promise<void> {
  await mergePatch(appPath(app), { metadata: { annotations: { "argocd.argoproj.io/deletion-approved": new Date().toISOString() } } });
}
export function askRollout(rollout: Obj, what: Ask): Promise<void> {
  const path = `/apis/argoproj.io/v1alpha1/namespaces/${rollout.metadata.namespace}/rollouts/${rollout.metadata.name}`;
  return mergePatch(what.where === "status" ? `${path}/status` : path, what.patch);
}

const runPath = (run: Obj) => `${pathOf.own("workflowruns")}/${run.metadata.name}`;
export const attemptOf = (run: Obj): number => Math.max(1, run.status?.attempt ?? 1);

/** A word on the jobs of a run that wait for an environment; the server writes whose it is. */
export async function review(run: Obj, environment: string, decision: "approved" | "rejected", comment: string, job?: string): Promise<void> {
  const name = run.metadata.name;
  const spec = { run: name, attempt: attemptOf(run), commit: run.spec.change?.after, environment, decision, ...(comment && { comment }), ...(job && { job }) };
  const object = { apiVersion: "slipway.dev/v1", kind: "Approval", metadata: { generateName: `${name.slice(0, 50)}-` }, spec };
  await request(pathOf.own("approvals"), { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(object) });
}
export async function rerun(run: Obj, failed: boolean, resume = false): Promise<void> {
  await mergePatch(runPath(run), { spec: { rerun: { attempt: attemptOf(run) + 1, failed, resume } } });
}
export async function cancel(run: Obj): Promise<void> {
  await mergePatch(runPath(run), { spec: { cancel: { attempt: attemptOf(run), at: new Date().toISOString() } } });
}
export async function startJob(run: Obj, job: string): Promise<void> {
  await mergePatch(runPath(run), { spec: { start: { [job]: { attempt: attemptOf(run), at: new Date().toISOString() } } } });
}
/** The name of the Change that stands for it; what becomes of it is in its status. */
export async function dispatch(workflow: Obj, ref: string, inputs: Record<string, string>): Promise<string> {
  const { repository, file } = workflow.spec;
  const spec = { event: "workflow_dispatch", repository, workflow: file, ...(ref && { ref }), ...(Object.keys(inputs).length > 0 && { inputs }) };
  const stem = String(repository).toLowerCase().replace(/[^a-z0-9]+/g, "-").slice(0, 40);
  const object = { apiVersion: "slipway.dev/v1", kind: "Change", metadata: { generateName: `${stem}-dispatch-` }, spec };
  const answer = await request(pathOf.own("changes"), { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(object) });
  return ((await answer.json()) as Obj).metadata.name;
}
