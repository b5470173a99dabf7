import { askRollout } from "../asks";
import { linkOf } from "../kinds";
import type { Obj } from "../kube";
import type { Light } from "../model/path";
import { abort, byVersion, isMoving, measured, pause, promote, promoteFully, quantile, retry, steps, traffic, weight, type Traffic } from "../model/rollout";
import { age, duration } from "../model/text";
import { Act, Dot, healthLight } from "./parts";

const analysisLight: Record<string, Light> = { Successful: "succeeded", Running: "running", Pending: "pending", Failed: "failed", Error: "failed", Inconclusive: "waiting" };

export interface Seen {
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

export function RolloutCard({ rollout, seen, analyses, now }: { rollout: Obj; seen: Seen; analyses: Obj[]; now: number }) {
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
