import { useLive, useClock } from "../hooks";
import { pathOf } from "../kube";
import type { Job } from "../model/graph";
import { light } from "../model/path";
import { age, duration, short } from "../model/text";
import { Graph } from "../parts/graph";
import { Log } from "../parts/log";
import { Chip, Dot, Empty, Problem } from "../parts/parts";

function Steps({ job }: { job: Job }) {
  const steps = job.result?.steps ?? [];
  const longest = Math.max(1, ...steps.map((step) => step.millis));
  if (steps.length === 0) return null;
  return (
    <ol class="steps">
      {steps.map((step) => (
        <li>
          <Dot light={step.conclusion === "success" ? "succeeded" : step.conclusion === "failure" ? "failed" : step.conclusion === "skipped" ? "skipped" : "cancelled"} />
          <span class="name">{step.name}</span>
          <meter min={0} max={longest} value={step.millis} aria-label={duration(step.millis)} />
          <span class="quiet">{duration(step.millis)}</span>
        </li>
      ))}
    </ol>
  );
}

export function RunView({ name, job: wanted }: { name: string; job?: string }) {
  const live = useLive(pathOf.own("workflowruns"));
  const now = useClock();
  const run = live.items.find((item) => item.metadata.name === name);
  if (!run) return live.state === "live" ? <Empty>There is no run {name} (any more).</Empty> : <Problem of={[live]} />;
  const change = run.spec.change ?? {};
  const jobs: Job[] = run.status?.jobs ?? [];
  const chosen = jobs.find((job) => job.key === wanted) ?? jobs.find((job) => job.phase === "Failed") ?? jobs.find((job) => job.phase === "Running") ?? jobs[0];
  const source = run.status?.reusedFrom ?? name; // where the logs are
  return (
    <>
      <Problem of={[live]} />
      <h1>
        <Dot light={light(run.status?.phase)} /> {run.spec.name} <span class="quiet">{run.spec.workflow}</span>
      </h1>
      <p>
        <code>{short(change.after)}</code> {change.subject} <span class="quiet">{change.author} · {change.repository} · {age(run.metadata.creationTimestamp, now)} ago</span>{" "}
        {change.pullRequest > 0 && <a href={`#/pr/${change.repository}/${change.pullRequest}`}>pull request {change.pullRequest}</a>}
      </p>
      {run.status?.message && <p class={light(run.status?.phase) === "failed" ? "problem" : "quiet"}>{run.status.message}</p>}
      <Graph jobs={jobs} run={name} chosen={chosen} />
      {chosen && (
        <section>
          <h2>
            {chosen.name} <Chip light={light(chosen.phase)} />
          </h2>
          {chosen.message && <p class={light(chosen.phase) === "failed" ? "problem" : "quiet"}>{chosen.message}</p>}
          <Steps job={chosen} />
          {chosen.phase === "Pending" || chosen.phase === "Skipped" ? (
            <p class="quiet">It has not begun{chosen.needs?.length ? `: it needs ${chosen.needs.join(", ")}` : ""}.</p>
          ) : (
            <Log path={`/logs/${encodeURIComponent(source)}/${encodeURIComponent(chosen.key)}?follow=1`} timed more={chosen.phase === "Running"} key={chosen.key + source} />
          )}
        </section>
      )}
    </>
  );
}
