import { useEffect, useState } from "preact/hooks";
import { useClock, useLive } from "../hooks";
import { mergePatch, pathOf, request, type Obj } from "../kube";
import { matrix, type Light } from "../model/path";
import { abort, isMoving, promote, retry, steps, traffic, weight, type Ask, type Traffic } from "../model/rollout";
import { age, short } from "../model/text";
import { Act, Chip, Dot, Empty, Problem } from "../parts/parts";
import { WhatRuns, usePath } from "./path";

const healthLight: Record<string, Light> = { Healthy: "succeeded", Progressing: "running", Degraded: "failed", Missing: "failed", Suspended: "waiting", Paused: "waiting" };
const syncLight: Record<string, Light> = { Synced: "succeeded", OutOfSync: "waiting", Unknown: "pending" };

function ask(rollout: Obj, what: Ask): Promise<void> {
  const path = `/apis/argoproj.io/v1alpha1/namespaces/${rollout.metadata.namespace}/rollouts/${rollout.metadata.name}`;
  return mergePatch(what.where === "status" ? `${path}/status` : path, what.patch);
}

function Versions({ of, rollout }: { of: Traffic[]; rollout: Obj }) {
  if (of.length === 0) return null;
  return (
    <table class="versions">
      <thead>
        <tr>
          <th>version</th>
          <th class="number">requests</th>
          <th class="number">failed</th>
        </tr>
      </thead>
      <tbody>
        {of.map((version) => (
          <tr>
            <td>
              <code>{version.hash || "unknown"}</code> {version.hash === rollout.status?.stableRS && <span class="quiet">stable</span>}
              {isMoving(rollout) && version.hash === rollout.status?.currentPodHash && <span class="quiet">new</span>}
            </td>
            <td class="number">{version.requests}</td>
            <td class={version.errors > 0 ? "number bad" : "number"}>{version.requests ? `${((100 * version.errors) / version.requests).toFixed(1)} %` : ""}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function RolloutCard({ rollout, seen }: { rollout: Obj; seen: Traffic[] }) {
  const status = rollout.status ?? {};
  const forward = isMoving(rollout) && !status.abort ? promote(rollout) : null;
  const canary = rollout.spec.strategy?.canary;
  const names = [rollout.metadata.name, canary?.canaryService, canary?.stableService, rollout.spec.strategy?.blueGreen?.activeService, rollout.spec.strategy?.blueGreen?.previewService];
  const seenHere = seen.filter((version) => names.includes(version.service) && version.requests > 0);
  const byHash = [...new Map(seenHere.map((v) => [v.hash, v])).keys()].map((hash) =>
    seenHere.filter((v) => v.hash === hash).reduce((sum, v) => ({ ...sum, requests: sum.requests + v.requests, errors: sum.errors + v.errors }), { service: "", hash, requests: 0, errors: 0 }),
  );
  return (
    <div class="rollout">
      <h4>
        <Dot light={healthLight[status.phase] ?? "pending"} title={status.phase} />{" "}
        <a href={`#/object/argoproj.io/v1alpha1/rollouts/${rollout.metadata.namespace}/${rollout.metadata.name}`}>{rollout.metadata.name}</a>{" "}
        <span class="quiet">
          {canary ? "canary" : "blue-green"} · {status.availableReplicas ?? 0} of {rollout.spec.replicas ?? 1} ready
        </span>
      </h4>
      {canary?.steps && (
        <ol class="stepbar" aria-label="steps">
          {steps(rollout).map((step) => (
            <li class={step.state} aria-current={step.state === "now" ? "step" : undefined}>
              {step.text}
            </li>
          ))}
        </ol>
      )}
      {isMoving(rollout) && canary && (
        <div class="split" role="img" aria-label={`${weight(rollout)} percent of the traffic to the new version`}>
          <progress max={100} value={weight(rollout)} /> <span class="quiet">{weight(rollout)} % to the new version</span>
        </div>
      )}
      {status.message && <p class="quiet">{status.message}</p>}
      <Versions of={byHash} rollout={rollout} />
      <p class="acts">
        {forward && <Act label="Promote" run={() => ask(rollout, forward)} />}
        {isMoving(rollout) && !status.abort && <Act label="Abort" kind="danger" confirm={`Send all traffic of ${rollout.metadata.name} back to the stable version?`} run={() => ask(rollout, abort)} />}
        {status.abort && <Act label="Retry" run={() => ask(rollout, retry)} />}
      </p>
    </div>
  );
}

function Resources({ app }: { app: Obj }) {
  const list: { group?: string; version: string; kind: string; namespace?: string; name: string; status?: string; health?: { status: string; message?: string } }[] = app.status?.resources ?? [];
  if (list.length === 0) return null;
  return (
    <details>
      <summary>{list.length} objects</summary>
      <ul class="resources">
        {list.map((one) => (
          <li>
            <Dot light={one.health ? (healthLight[one.health.status] ?? "pending") : one.status === "OutOfSync" ? "waiting" : "succeeded"} title={`${one.status ?? ""} ${one.health?.status ?? ""} ${one.health?.message ?? ""}`} /> {one.kind} {one.name}{" "}
            <span class="quiet">{one.status !== "Synced" ? one.status : ""}</span>
          </li>
        ))}
      </ul>
    </details>
  );
}

function AppCard({ app, rollouts, seen, now }: { app: Obj; rollouts: Obj[]; seen: Traffic[]; now: number }) {
  const status = app.status ?? {};
  const conditions: { type: string; message: string }[] = status.conditions ?? [];
  return (
    <section class="card">
      <h3>
        <Dot light={healthLight[status.health?.status] ?? "pending"} title={status.health?.status} /> {app.metadata.name}
      </h3>
      <p>
        <Chip light={healthLight[status.health?.status] ?? "pending"}>{status.health?.status ?? "unknown"}</Chip> <Chip light={syncLight[status.sync?.status] ?? "pending"}>{status.sync?.status ?? "unknown"}</Chip>{" "}
        <span class="quiet">
          {app.spec.source?.path ?? `${(app.spec.sources ?? []).length} sources`} at <code>{short(status.sync?.revision)}</code>
          {status.operationState?.finishedAt && `, synced ${age(status.operationState.finishedAt, now)} ago`}
        </span>
      </p>
      {conditions.map((condition) => (
        <p class={condition.type.endsWith("Error") ? "problem" : "quiet"}>
          {condition.type}: {condition.message}
        </p>
      ))}
      {rollouts.map((rollout) => (
        <RolloutCard rollout={rollout} seen={seen} key={rollout.metadata.uid} />
      ))}
      <Resources app={app} />
      <p class="acts">
        <Act label="Sync" kind="plain" run={() => mergePatch(`${pathOf.applications}/${app.metadata.name}`, { operation: { initiatedBy: { username: "admin" }, sync: {} } })} />
      </p>
    </section>
  );
}

// Counters send no events; they are read while somebody looks.
function useTraffic(): string {
  const [text, set] = useState("");
  useEffect(() => {
    let over = false;
    const read = async () => {
      if (!document.hidden)
        try {
          const answer = await (await request("/metrics")).text();
          if (!over) set(answer);
        } catch {
          // The lists say that Slipway is away.
        }
      if (!over) timer = setTimeout(() => void read(), 3000);
    };
    let timer = setTimeout(() => void read(), 0);
    return () => {
      over = true;
      clearTimeout(timer);
    };
  }, []);
  return text;
}

export function Environments() {
  const { all, live } = usePath();
  const apps = useLive(pathOf.applications);
  const rollouts = useLive(pathOf.rollouts);
  const metrics = useTraffic();
  const now = useClock();
  const order = new Map<string, number>(all.pipelines.flatMap((p) => (p.spec.environments ?? []).map((e: { application?: string }, i: number) => [e.application ?? "", i] as [string, number])));
  const shown = [...apps.items].sort((a, b) => (order.get(a.metadata.name) ?? 99) - (order.get(b.metadata.name) ?? 99) || a.metadata.name.localeCompare(b.metadata.name));
  return (
    <>
      <Problem of={[...live, apps, rollouts]} />
      <h1>Environments</h1>
      {matrix(all).map((one) => (
        <WhatRuns of={one} now={now} />
      ))}
      <div class="cards">
        {shown.map((app) => {
          const ns: string = app.spec.destination?.namespace ?? "";
          return <AppCard app={app} rollouts={rollouts.items.filter((r) => r.metadata.namespace === ns).sort((a, b) => a.metadata.name.localeCompare(b.metadata.name))} seen={traffic(metrics, ns)} now={now} key={app.metadata.uid} />;
        })}
      </div>
      {apps.items.length === 0 && apps.state === "live" && (
        <Empty>
          No Application so far. <code>slipway bootstrap REPOSITORY</code> makes them from a configuration repository.
        </Empty>
      )}
    </>
  );
}
