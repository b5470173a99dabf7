// Slipway's API is Kubernetes': objects, lists, watches, patches. This file speaks it.

export interface Meta {
  name: string;
  namespace?: string;
  uid: string;
  resourceVersion: string;
  creationTimestamp: string;
  deletionTimestamp?: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  ownerReferences?: { apiVersion: string; kind: string; name: string; uid: string; controller?: boolean }[];
}
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- what an object holds is its kind's matter
export interface Obj<Spec = any, Status = any> {
  apiVersion?: string;
  kind?: string;
  metadata: Meta;
  spec: Spec;
  status?: Status;
  [field: string]: unknown;
}

export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

const KEY = "slipway-token";
let listeners: (() => void)[] = [];

/** The token that `slipway up` prints behind the address, taken out of it at once: addresses are shown and shared. */
export function takeToken(hash: string): { token: string; rest: string } | null {
  const found = /^#token=([A-Za-z0-9_.-]+)(.*)$/.exec(hash);
  return found ? { token: found[1]!, rest: found[2] ? `#${found[2].replace(/^[&#]+/, "")}` : "#/" } : null;
}
export function token(): string | null {
  return sessionStorage.getItem(KEY);
}
export function setToken(value: string | null): void {
  if (value) sessionStorage.setItem(KEY, value);
  else sessionStorage.removeItem(KEY);
  for (const call of listeners) call();
}
export function onToken(call: () => void): () => void {
  listeners.push(call);
  return () => (listeners = listeners.filter((other) => other !== call));
}

export async function request(path: string, init: RequestInit = {}): Promise<Response> {
  const headers = new Headers(init.headers);
  const mine = token();
  if (mine) headers.set("Authorization", `Bearer ${mine}`);
  const ask = () => fetch(path, { ...init, headers });
  // Browsers break off what is under way when the machine's networks change, as they do where pods come and go.
  const answer = await ask().catch((error: unknown) => {
    if (init.method || init.signal?.aborted) throw error;
    return ask();
  });
  if (answer.ok) return answer;
  let message = `${answer.status} ${answer.statusText}`;
  try {
    const text = await answer.text();
    const said = JSON.parse(text || "{}") as { message?: string; errors?: { message?: string }[] }; // the registry has a list
    message = said.message ?? said.errors?.[0]?.message ?? (text || message);
  } catch {
    // Not JSON: the status says enough.
  }
  if (answer.status === 401 && mine) setToken(null);
  throw new ApiError(answer.status, message);
}

export async function get<T>(path: string): Promise<T> {
  return (await (await request(path, { headers: { Accept: "application/json" } })).json()) as T;
}
export async function mergePatch(path: string, patch: unknown): Promise<void> {
  await request(path, { method: "PATCH", headers: { "Content-Type": "application/merge-patch+json" }, body: JSON.stringify(patch) });
}

export const HOME = "slipway-system";
export const pathOf = {
  own: (plural: string) => `/apis/slipway.dev/v1/namespaces/${HOME}/${plural}`,
  applications: "/apis/argoproj.io/v1alpha1/applications",
  homeApplications: "/apis/argoproj.io/v1alpha1/namespaces/argocd/applications",
  kustomizations: "/apis/kustomize.toolkit.fluxcd.io/v1/kustomizations",
  rollouts: "/apis/argoproj.io/v1alpha1/rollouts",
  analyses: "/apis/argoproj.io/v1alpha1/analysisruns",
};
