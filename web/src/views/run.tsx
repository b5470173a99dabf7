import { useState } from "preact/hooks";
import { attemptOf, cancel, rerun, review, startJob } from "../asks";
import { useLive, useClock } from "../hooks";
import { pathOf, type Obj } from "../kube";
import { asks, type Job } from "../model/graph";
import { light } from "../model/path";
import { age, brief, duration, short } from "../model/text";
import { Graph } from "../parts/graph";
import { Log } from "../parts/log";
import { Act, Chip, Dot, Empty, Markdown, Problem } from "../parts/parts";

const final = ["Succeeded", "Failed", "Cancelled", "Skipped"];

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

/** What the run waits for, who may decide it, and the two buttons. */
function Review({ run, jobs, now }: { run: Obj; jobs: Job[]; now: number }) {
  const [comment, setComment] = useState("");
  const open = asks(jobs);
  if (open.length === 0) return null;
  return (
    <section class="review" aria-label="approvals">
      {open.map(({ environment, jobs: waiting, who }) => (
        <div class="ask" key={environment}>
          <p>
            <Dot light="waiting" hidden /> <strong>{waiting.map((job) => job.name).join(", ")}</strong> {waiting.length > 1 ? "wait" : "waits"} for an approval into <strong>{environment}</strong>{" "}
            <span class="quiet">since {age(waiting[0]!.waiting!.since, now)}</span>
          </p>
          <p class="quiet">
            May approve: {who.join(", ")}. It counts for commit <code>{short(run.spec.change?.after)}</code>, attempt {attemptOf(run)}.
          </p>
          <div class="acts">
            <input aria-label={`a comment on ${environment}`} placeholder="why (optional)" value={comment} onInput={(event) => setComment(event.currentTarget.value)} />
            <Act label="Approve" run={() => review(run, environment, "approved", comment)} />
            <Act label="Reject" kind="danger" run={() => review(run, environment, "rejected", comment)} />
          </div>
        </div>
      ))}
    </section>
  );
}

function Acts({ run }: { run: Obj }) {
  const phase = run.status?.phase ?? "Pending";
  const jobs: Job[] = run.status?.jobs ?? [];
  const bad = jobs.some((job) => ["Failed", "Cancelled"].includes(job.phase));
  const kept = jobs.find((job) => job.result?.resumable)?.result?.resumable;
  return (
    <p class="acts">
      {!final.includes(phase) && <Act label="Cancel" kind="danger" run={() => cancel(run)} />}
      {final.includes(phase) && kept && <Act label={`Go on at “${kept}”`} run={() => rerun(run, true, true)} />}
      {final.includes(phase) && bad && <Act label="Run failed jobs again" run={() => rerun(run, true)} />}
      {final.includes(phase) && <Act label="Run all again" kind="plain" run={() => rerun(run, false)} />}
    </p>
  );
}

interface Attempt {
  attempt: number;
  phase: string;
  startedAt?: string;
  finishedAt?: string;
  jobs?: { key: string; phase: string }[];
}
function Attempts({ run, shown, job }: { run: Obj; shown: number; job?: string }) {
  const past: Attempt[] = run.status?.attempts ?? [];
  if (past.length === 0) return null;
  const all: Attempt[] = [...past, { attempt: attemptOf(run), phase: run.status?.phase }];
  const link = (attempt: number) => `#/run/${run.metadata.name}/${encodeURIComponent(job ?? "")}${attempt === attemptOf(run) ? "" : `/${attempt}`}`;
  return (
    <nav class="attempts" aria-label="attempts">
      {all.map((one) => (
        <a href={link(one.attempt)} aria-current={one.attempt === shown ? "true" : undefined} key={one.attempt}>
          <Dot light={light(one.phase)} /> attempt {one.attempt}
        </a>
      ))}
    </nav>
  );
}

function Where({ job }: { job: Job }) {
  const { environment, environmentUrl } = job.result ?? {};
  if (!environment) return null;
  return (
    <p class="quiet">
      Environment {environment}
      {environmentUrl && /^https?:/.test(environmentUrl) && (
        <>
          {": "}
          <a href={environmentUrl} rel="noreferrer noopener">
            {environmentUrl}
          </a>
        </>
      )}
    </p>
  );
}

function JobOf({ run, job, source, attempt }: { run: Obj; job: Job; source: string; attempt: number }) {
  const waits = job.phase === "Waiting" || job.phase === "Manual";
  const log = `/logs/${encodeURIComponent(source)}/${encodeURIComponent(job.key)}`;
  const past = attempt < attemptOf(run);
  return (
    <section>
      <h2>
        {job.name} <Chip light={light(job.phase)}>{job.phase === "Manual" ? "manual" : undefined}</Chip> {job.phase === "Manual" && !past && <Act label="Start" run={() => startJob(run, job.key)} />}
      </h2>
      {job.message && <p class={light(job.phase) === "failed" ? "problem" : "quiet"}>{job.message}</p>}
      <Where job={job} />
      <Steps job={job} />
      {job.result?.summary && <Markdown text={job.result.summary.replaceAll("**", "")} />}
      {job.phase === "Pending" || job.phase === "Skipped" || waits ? (
        !waits && <p class="quiet">It has not begun{job.needs?.length ? `: it needs ${job.needs.join(", ")}` : ""}.</p>
      ) : (
        <Log path={past ? `${log}?attempt=${attempt}` : `${log}?follow=1`} timed more={job.phase === "Running"} key={`${job.key} ${source} ${attempt} ${attemptOf(run)}`} />
      )}
    </section>
  );
}

function TestsOf({ run }: { run: Obj }) {
  const tests: { passed: number; failed: number; skipped: number; flaky?: string[] } | undefined = run.status?.tests;
  if (!tests) return null;
  return (
    <p>
      <a href={`#/tests/${encodeURIComponent(run.spec.change?.repository ?? "")}`}>
        {tests.passed + tests.failed + tests.skipped} tests
      </a>{" "}
      <span class="quiet">
        {tests.passed} passed{tests.failed > 0 && <span class="bad">, {tests.failed} failed</span>}
        {tests.skipped > 0 && `, ${tests.skipped} skipped`}
      </span>{" "}
      {tests.flaky && (
        <>
          <Chip light="waiting">flaky</Chip> {tests.flaky.join(", ")}
        </>
      )}
    </p>
  );
}

export function RunView({ name, job: wanted, attempt: asked }: { name: string; job?: string; attempt?: number }) {
  const live = useLive(pathOf.own("workflowruns"));
  const now = useClock();
  const run = live.items.find((item) => item.metadata.name === name);
  if (!run) return live.state === "live" ? <Empty>There is no run {name} (any more).</Empty> : <Problem of={[live]} />;
  const change = run.spec.change ?? {};
  const attempt = asked && asked < attemptOf(run) ? asked : attemptOf(run);
  const past: Attempt | undefined = (run.status?.attempts ?? []).find((one: Attempt) => one.attempt === attempt);
  const jobs: Job[] = past ? (past.jobs ?? []).map((one) => ({ ...one, name: one.key })) : (run.status?.jobs ?? []);
  const first = (...phases: string[]) => jobs.find((job) => phases.includes(job.phase));
  const chosen = jobs.find((job) => job.key === wanted) ?? first("Failed") ?? first("Running") ?? first("Waiting") ?? jobs[0];
  const source = run.status?.reusedFrom ?? name; // where the logs are
  return (
    <>
      <Problem of={[live]} />
      <div class="title">
        <h1>
          <Dot light={light(run.status?.phase)} /> {run.spec.name} <span class="quiet">{run.spec.workflow}</span>
        </h1>
        <Acts run={run} />
      </div>
      <p>
        <code>{short(change.after)}</code> {brief(change.subject)}{" "}
        <span class="quiet">
          {change.event} · {change.author} · {change.repository} · {age(run.metadata.creationTimestamp, now)} ago
        </span>{" "}
        {change.pullRequest > 0 && <a href={`#/pr/${change.repository}/${change.pullRequest}`}>pull request {change.pullRequest}</a>}
      </p>
      <Attempts run={run} shown={attempt} job={chosen?.key} />
      {run.status?.message && !past && <p class={light(run.status?.phase) === "failed" ? "problem" : "quiet"}>{run.status.message}</p>}
      {!past && <TestsOf run={run} />}
      {!past && <Review run={run} jobs={jobs} now={now} />}
      <Graph jobs={jobs} run={name} chosen={chosen} attempt={past && attempt} />
      {chosen && <JobOf run={run} job={chosen} source={source} attempt={attempt} />}
    </>
  );
}
