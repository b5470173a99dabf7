import { useEffect, useState } from "preact/hooks";
import { approve, approveDeletion, askRollout, sync } from "../asks";
import { useClock, useLive } from "../hooks";
import { pathOf, request, type Obj } from "../kube";
import { matrix, type Cell, type Light } from "../model/path";
import { abort, byVersion, isMoving, measured, pause, promote, promoteFully, quantile, retry, steps, traffic, weight, type Traffic } from "../model/rollout";
import { age, duration, short } from "../model/text";
import { Deployments } from "../parts/deployments";
import { Act, Chip, Dot, Empty, Problem } from "../parts/parts";
import { linkOf, useKinds, type Kind } from "./objects";
import { usePath } from "./path";

const healthLight: Record<string, Light> = { Healthy: "succeeded", Progressing: "running", Degraded: "failed", Missing: "failed", Suspended: "waiting", Paused: "waiting" };
const syncLight: Record<string, Light> = { Synced: "succeeded", OutOfSync: "waiting", Unknown: "pending" };

const analysisLight: Record<string, Light> = { Successful: "succeeded", Running: "running", Pending: "pending", Failed: "failed", Error: "failed", Inconclusive: "waiting" };

interface Seen {
  now: string;
  before: string;
  seconds: number; // between the two
}

function Versions({ of, before, seconds, rollout }: { of: Traffic[]; before: Traffic[]; seconds: number; rollout: Obj }) {
  if (of.length === 0) return null;
  const rate = (version: Traffic) => {
    const was = before.find((one) => one.hash === version.hash);
    return seconds > 0 ? Math.max(0, version.requests - (was?.requests ?? 0)) / seconds : 0;
  };
  const late = (version: Traffic) => {
    const found = quantile(version.buckets, 0.95);
    return found === null ? "" : duration(found * 1000);
  };
  return (
    <div class="scroll">
      <table class="versions">
        <thead>
          <tr>
            <th>version</th>
            <th class="number">per s</th>
            <th class="number">requests</th>
            <th class="number">failed</th>
            <th class="number" title="95 of 100 requests were answered within">p95</th>
          </tr>
        </thead>
        <tbody>
          {of.map((version) => (
            <tr key={version.hash}>
              <td>
                {version.hash ? <code>{version.hash}</code> : <span class="quiet">no version was ready</span>} {version.hash === rollout.status?.stableRS && version.hash && <span class="quiet">stable</span>}
                {isMoving(rollout) && version.hash === rollout.status?.currentPodHash && <span class="quiet">new</span>}
              </td>
              <td class="number">{rate(version).toFixed(rate(version) < 10 ? 1 : 0)}</td>
              <td class="number">{version.requests}</td>
              <td class={version.errors > 0 ? "number bad" : "number"}>{((100 * version.errors) / version.requests).toFixed(1)} %</td>
              <td class="number">{late(version)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Analysis({ run, now }: { run: Obj; now: number }) {
  const light = analysisLight[run.status?.phase] ?? "pending";
  return (
    <div class="analysis">
      <a href={linkOf({ group: "argoproj.io", version: "v1alpha1", plural: "analysisruns" }, run.metadata.namespace, run.metadata.name)}>
        <Dot light={light} title={run.status?.phase} /> analysis {run.metadata.name}
      </a>{" "}
      <span class="quiet">{age(run.metadata.creationTimestamp, now)} ago</span>
      {measured(run).map((metric) => (
        <p class={analysisLight[metric.phase] === "failed" ? "problem" : "quiet"} key={metric.name}>
          {metric.name}: {metric.message || metric.last} ({metric.count} measured)
        </p>
      ))}
    </div>
  );
}

function RolloutCard({ rollout, seen, analyses, now }: { rollout: Obj; seen: Seen; analyses: Obj[]; now: number }) {
  const status = rollout.status ?? {};
  const moving = isMoving(rollout) && !status.abort;
  const forward = moving ? promote(rollout) : null;
  const { canary, blueGreen } = rollout.spec.strategy ?? {};
  const services = [rollout.metadata.name, canary?.canaryService, canary?.stableService, blueGreen?.activeService, blueGreen?.previewService].filter(Boolean);
  const versions = (metrics: string) => byVersion(traffic(metrics, rollout.metadata.namespace ?? ""), services);
  // The newest analysis, and others that still run.
  const mine = analyses.filter((run) => run.metadata.ownerReferences?.some((owner) => owner.uid === rollout.metadata.uid));
  const shown = mine.filter((run, i) => i === 0 || run.status?.phase === "Running").slice(0, 3);
  return (
    <div class="rollout">
      <h4>
        <Dot light={healthLight[status.phase] ?? "pending"} title={status.phase} />{" "}
        <a href={linkOf({ group: "argoproj.io", version: "v1alpha1", plural: "rollouts" }, rollout.metadata.namespace, rollout.metadata.name)}>{rollout.metadata.name}</a>{" "}
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
      {isMoving(rollout) && status.canary?.weights && (
        <div class="split" role="img" aria-label={`${weight(rollout)} percent of the traffic to the new version`}>
          <progress max={100} value={weight(rollout)} /> <span class="quiet">{weight(rollout)} % to the new version</span>
        </div>
      )}
      {status.message && <p class="quiet">{status.message}</p>}
      <Versions of={versions(seen.now)} before={versions(seen.before)} seconds={seen.seconds} rollout={rollout} />
      {shown.map((run) => (
        <Analysis run={run} now={now} key={run.metadata.uid} />
      ))}
      <p class="acts">
        {forward && <Act label="Promote" run={() => askRollout(rollout, forward)} />}
        {moving && canary && <Act label="Promote fully" kind="plain" confirm={`Skip all steps of ${rollout.metadata.name} that are left?`} run={() => askRollout(rollout, promoteFully)} />}
        {moving && !rollout.spec.paused && <Act label="Pause" kind="plain" run={() => askRollout(rollout, pause)} />}
        {moving && <Act label="Abort" kind="danger" confirm={`Send all traffic of ${rollout.metadata.name} back to the stable version?`} run={() => askRollout(rollout, abort)} />}
        {status.abort && <Act label="Retry" run={() => askRollout(rollout, retry)} />}
      </p>
    </div>
  );
}

function ResourceLink({ kind, ns, name }: { kind?: Kind; ns?: string; name: string }) {
  return kind ? <a href={linkOf(kind, kind.namespaced ? ns : undefined, name)}>{name}</a> : <span>{name}</span>;
}

function Resources({ app }: { app: Obj }) {
  const { kinds } = useKinds();
  const list: { group?: string; version: string; kind: string; namespace?: string; name: string; status?: string; health?: { status: string; message?: string } }[] = app.status?.resources ?? [];
  if (list.length === 0) return null;
  return (
    <details>
      <summary>{list.length} objects</summary>
      <ul class="resources">
        {list.map((one) => (
          <li>
            <Dot light={one.health ? (healthLight[one.health.status] ?? "pending") : one.status === "OutOfSync" ? "waiting" : "succeeded"} title={`${one.status ?? ""} ${one.health?.status ?? ""} ${one.health?.message ?? ""}`} /> {one.kind}{" "}
            <ResourceLink kind={kinds.find((kind) => kind.kind === one.kind && kind.group === (one.group ?? ""))} ns={one.namespace} name={one.name} />{" "}
            <span class="quiet">{one.status !== "Synced" ? one.status : ""}</span>
          </li>
        ))}
      </ul>
    </details>
  );
}

function Earlier({ cell, now }: { cell: Cell; now: number }) {
  const shown = cell.earlier.slice(0, 10);
  if (shown.length === 0) return null;
  return (
    <details>
      <summary>{cell.earlier.length} before</summary>
      <ul class="resources" aria-label={`what ran of ${cell.service} in ${cell.environment} before`}>
        {shown.map((past) => (
          <li key={past.since + past.commit}>
            <Dot light={past.light} title={past.note} /> <code>{past.commit}</code>{" "}
            <span class="quiet">
              {past.subject} · {age(past.since, now)} ago {past.light === "failed" && `· ${past.note}`}
            </span>
          </li>
        ))}
      </ul>
      {cell.earlier.length > shown.length && (
        <p class="quiet">
          <code>slipway promote history {cell.service}</code> tells all of it.
        </p>
      )}
    </details>
  );
}

/** What the environment holds of each service, and what wants to come. */
function Holds({ cells, now }: { cells: Cell[]; now: number }) {
  if (cells.length === 0) return null;
  return (
    <ul class="holds">
      {cells.map((cell) => (
        <li key={cell.service}>
          <strong>{cell.service}</strong> {cell.light === "none" ? <span class="quiet">nothing yet</span> : <code title={cell.subject}>{cell.commit}</code>}{" "}
          <span class="quiet">
            {cell.subject} {cell.since && `· ${age(cell.since, now)}`}
          </span>
          {cell.next && (
            <div class="next">
              {cell.next} {cell.request && <a href={cell.request.link}>{cell.request.name}</a>}
              {cell.promotion && <Act label="Approve" run={() => approve(cell.promotion)} />}
            </div>
          )}
          {cell.failed && <div class="problem">{cell.failed}</div>}
          <Earlier cell={cell} now={now} />
        </li>
      ))}
    </ul>
  );
}

function AppCard({ app, cells, rollouts, seen, analyses, now }: { app: Obj; cells: Cell[]; rollouts: Obj[]; seen: Seen; analyses: Obj[]; now: number }) {
  const status = app.status ?? {};
  const conditions: { type: string; message: string }[] = status.conditions ?? [];
  const asksToDelete = conditions.find((condition) => condition.type === "DeletionWarning");
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
      <Holds cells={cells} now={now} />
      {rollouts.map((rollout) => (
        <RolloutCard rollout={rollout} seen={seen} analyses={analyses} now={now} key={rollout.metadata.uid} />
      ))}
      <Resources app={app} />
      <p class="acts">
        <Act label="Sync" kind="plain" run={() => sync(app)} />
        {asksToDelete && <Act label="Let it delete" kind="danger" confirm={`${app.metadata.name}: ${asksToDelete.message}. Delete now?`} run={() => approveDeletion(app)} />}
      </p>
    </section>
  );
}

// Counters send no events; they are read while somebody looks, and often only while traffic shifts.
function useTraffic(often: boolean): Seen {
  const [seen, set] = useState<Seen>({ now: "", before: "", seconds: 0 });
  useEffect(() => {
    let over = false;
    let last = { text: "", at: 0 };
    const read = async () => {
      if (!document.hidden)
        try {
          const text = await (await request("/metrics")).text();
          const at = performance.now();
          if (!over) set({ now: text, before: last.text, seconds: last.at ? (at - last.at) / 1000 : 0 });
          last = { text, at };
        } catch {
          // The lists say that Slipway is away.
        }
      if (!over) timer = setTimeout(() => void read(), often ? 2000 : 10000);
    };
    let timer = setTimeout(() => void read(), 0);
    return () => {
      over = true;
      clearTimeout(timer);
    };
  }, [often]);
  return seen;
}

function applicationOf(pipelines: Obj[], pipeline: string, environment: string): string | undefined {
  const environments: { name: string; application?: string }[] = pipelines.find((one) => one.metadata.name === pipeline)?.spec.environments ?? [];
  return environments.find((one) => one.name === environment)?.application;
}

export function Environments() {
  const { all, live } = usePath();
  const apps = useLive(pathOf.applications);
  const rollouts = useLive(pathOf.rollouts);
  const analyses = useLive(pathOf.analyses);
  const environments = useLive(pathOf.own("environments"));
  const seen = useTraffic(rollouts.items.some((rollout) => isMoving(rollout)));
  const now = useClock();
  // In the order of the path; others after them.
  const stages: { application?: string; cells: Cell[] }[] = matrix(all).flatMap((one) => one.environments.map((name, i) => ({ application: applicationOf(all.pipelines, one.pipeline, name), cells: one.services.map((service) => service.cells[i]!) })));
  const place = (app: Obj) => (stages.findIndex((stage) => stage.application === app.metadata.name) + stages.length + 1) % (stages.length + 1);
  const shown = [...apps.items].sort((a, b) => place(a) - place(b) || a.metadata.name.localeCompare(b.metadata.name));
  const namespaceOf = (app: Obj): string => app.spec.destination?.namespace ?? "";
  const namespaces = new Set(shown.map(namespaceOf));
  const byName = [...rollouts.items].sort((a, b) => a.metadata.name.localeCompare(b.metadata.name));
  const others = byName.filter((rollout) => !namespaces.has(rollout.metadata.namespace ?? ""));
  return (
    <>
      <Problem of={[...live, apps, rollouts, analyses]} />
      <h1>Environments</h1>
      <div class="cards">
        {shown.map((app) => (
          <AppCard
            app={app}
            cells={stages.find((stage) => stage.application === app.metadata.name)?.cells ?? []}
            rollouts={byName.filter((rollout) => rollout.metadata.namespace === namespaceOf(app))}
            seen={seen}
            analyses={analyses.items}
            now={now}
            key={app.metadata.uid}
          />
        ))}
        {others.length > 0 && (
          <section class="card">
            <h3>Rollouts of no Application</h3>
            {others.map((rollout) => (
              <RolloutCard rollout={rollout} seen={seen} analyses={analyses.items} now={now} key={rollout.metadata.uid} />
            ))}
          </section>
        )}
      </div>
      <Deployments environments={environments.items} now={now} />
      {apps.items.length === 0 && environments.items.length === 0 && apps.state === "live" && (
        <Empty>
          No Application so far. <code>slipway bootstrap REPOSITORY</code> makes them from a configuration repository.
        </Empty>
      )}
    </>
  );
}
