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
export async function sync(app: Obj): Promise<void> {
  await mergePatch(`${pathOf.applications}/${app.metadata.name}`, { operation: { initiatedBy: { username: await me() }, sync: {} } });
}
export function askRollout(rollout: Obj, what: Ask): Promise<void> {
  const path = `/apis/argoproj.io/v1alpha1/namespaces/${rollout.metadata.namespace}/rollouts/${rollout.metadata.name}`;
  return mergePatch(what.where === "status" ? `${path}/status` : path, what.patch);
}
