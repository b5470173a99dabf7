import { useState } from "preact/hooks";
import { dispatch } from "../asks";
import { useClock, useLive } from "../hooks";
import { pathOf, type Obj } from "../kube";
import { light } from "../model/path";
import { age } from "../model/text";
import { checkInputs, defaultsOf, given, recentRuns, until, type Input } from "../model/workflows";
import { Chip, Dot, Empty, Problem } from "../parts/parts";

function Field({ input, value, wrong, set, environments }: { input: Input; value: string; wrong?: string; set: (value: string) => void; environments: string[] }) {
  const id = `input-${input.name}`;
  const options = input.type === "choice" ? (input.options ?? []) : input.type === "environment" ? environments : null;
  const control =
    input.type === "boolean" ? (
      <input id={id} type="checkbox" checked={value === "true"} onChange={(event) => set(String(event.currentTarget.checked))} />
    ) : options && options.length > 0 ? (
      <select id={id} value={value} onChange={(event) => set(event.currentTarget.value)}>
        {!options.includes("") && !input.required && <option value="" />}
        {options.map((option) => (
          <option value={option} key={option}>
            {option}
          </option>
        ))}
      </select>
    ) : (
      <input id={id} value={value} inputMode={input.type === "number" ? "decimal" : undefined} onInput={(event) => set(event.currentTarget.value)} />
    );
  return (
    <div class="field">
      <label for={id}>
        {input.name} {input.required && <span class="quiet">required</span>}
      </label>
      {control}
      {input.description && <span class="quiet">{input.description}</span>}
      {wrong && <span class="problem">{wrong}</span>}
    </div>
  );
}

function RunForm({ workflow, environments, onDone }: { workflow: Obj; environments: string[]; onDone: (change: string) => void }) {
  const inputs: Input[] = workflow.spec.inputs ?? [];
  const [ref, setRef] = useState("");
  const [values, setValues] = useState(defaultsOf(inputs));
  const [wrong, setWrong] = useState<Record<string, string>>({});
  const [refusal, setRefusal] = useState("");
  const submit = async (event: Event) => {
    event.preventDefault();
    const problems = checkInputs(inputs, values);
    setWrong(problems);
    setRefusal("");
    if (Object.keys(problems).length > 0) return;
    try {
      onDone(await dispatch(workflow, ref.trim(), given(inputs, values)));
    } catch (error) {
      setRefusal((error as Error).message);
    }
  };
  return (
    <form class="runform" onSubmit={(event) => void submit(event)}>
      <div class="field">
        <label for="ref">branch or tag</label>
        <input id="ref" value={ref} placeholder="the default branch" onInput={(event) => setRef(event.currentTarget.value)} />
      </div>
      {inputs.map((input) => (
        <Field input={input} value={values[input.name] ?? ""} wrong={wrong[input.name]} environments={environments} set={(value) => setValues({ ...values, [input.name]: value })} key={input.name} />
      ))}
      <div class="acts">
        <button type="submit">Run</button>
      </div>
      {refusal && (
        <p class="problem" role="alert">
          {refusal}
        </p>
      )}
    </form>
  );
}

/** What became of a press: the run, or why there is none. */
function Asked({ change }: { change?: Obj }) {
  if (!change?.status?.phase) return <p class="quiet">Asked for…</p>;
  if (change.status.phase === "Refused")
    return (
      <p class="problem" role="alert">
        {change.status.message}
      </p>
    );
  return (
    <p>
      {(change.status.runNames ?? []).map((run: string) => (
        <a href={`#/run/${run}`} key={run}>
          It runs: {run}
        </a>
      ))}
    </p>
  );
}

function Card({ workflow, runs, changes, environments, open, now }: { workflow: Obj; runs: Obj[]; changes: Obj[]; environments: string[]; open: boolean; now: number }) {
  const [asked, setAsked] = useState("");
  const { spec, status } = workflow;
  const events: string[] = spec.events ?? [];
  const byHand = events.includes("workflow_dispatch");
  const problem = spec.problem || status?.message;
  return (
    <article class="card workflow">
      <h3>
        {spec.name} <span class="quiet">{spec.repository}</span>
      </h3>
      <p class="quiet">
        <code>{spec.file}</code>
      </p>
      <p>
        {events.map((event) => (
          <span class="tag" key={event}>
            {event}
          </span>
        ))}
      </p>
      {status?.nextRun && (
        <p title={status.nextRun}>
          Due {until(status.nextRun, now)} <span class="quiet">{(spec.schedules ?? []).map((line: { cron: string; timezone: string }) => `${line.cron} ${line.timezone}`).join(", ")}</span>
        </p>
      )}
      {problem && <p class="problem">{problem}</p>}
      {runs.length > 0 && (
        <p class="strip" aria-label="the last runs">
          {runs.map((run) => (
            <a href={`#/run/${run.metadata.name}`} title={`${run.spec.change?.event}, ${age(run.metadata.creationTimestamp, now)} ago`} key={run.metadata.uid}>
              <Dot light={light(run.status?.phase)} title={`${run.status?.phase ?? "Pending"}, ${age(run.metadata.creationTimestamp, now)} ago`} />
            </a>
          ))}
        </p>
      )}
      {byHand && (
        <details open={open}>
          <summary>Run it</summary>
          <RunForm workflow={workflow} environments={environments} onDone={setAsked} />
          {asked && <Asked change={changes.find((one) => one.metadata.name === asked)} />}
        </details>
      )}
    </article>
  );
}

export function Workflows({ chosen }: { chosen?: string }) {
  const workflows = useLive(pathOf.own("workflows"));
  const runs = useLive(pathOf.own("workflowruns"));
  const changes = useLive(pathOf.own("changes"));
  const environments = useLive(pathOf.own("environments"));
  const now = useClock();
  const sorted = [...workflows.items].sort((a, b) => `${a.spec.repository} ${a.spec.name}`.localeCompare(`${b.spec.repository} ${b.spec.name}`));
  const running = runs.items.filter((run) => run.status?.phase === "Running").length;
  return (
    <>
      <Problem of={[workflows, runs, changes]} />
      <h1>Workflows {running > 0 && <Chip light="running">{running} running</Chip>}</h1>
      <div class="cards">
        {sorted.map((workflow) => (
          <Card
            workflow={workflow}
            runs={recentRuns(runs.items, workflow)}
            changes={changes.items}
            environments={environments.items.filter((one) => one.spec.repository === workflow.spec.repository).map((one) => one.spec.name as string)}
            open={workflow.metadata.name === chosen}
            now={now}
            key={workflow.metadata.uid}
          />
        ))}
      </div>
      {sorted.length === 0 && workflows.state === "live" && (
        <Empty>
          No default branch has a workflow so far: files of <code>.github/workflows</code> show here.
        </Empty>
      )}
    </>
  );
}
