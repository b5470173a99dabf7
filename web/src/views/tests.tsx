import { useEffect, useState } from "preact/hooks";
import { useLive } from "../hooks";
import { get, pathOf } from "../kube";
import { median, passRate, sorted, type TestHistory } from "../model/tests";
import { duration, short } from "../model/text";
import { Empty, Problem } from "../parts/parts";

function Strip({ test }: { test: TestHistory }) {
  return (
    <span class="outcomes" role="img" aria-label={`the last ${test.strip.length} outcomes: ${test.strip.filter((one) => one.outcome === "failed").length} failed`}>
      {test.strip.map((one) => (
        <a class={one.outcome} href={`#/run/${one.run}/${encodeURIComponent(one.job)}`} title={`${one.outcome} at ${short(one.commit)}${one.attempt > 1 ? `, attempt ${one.attempt}` : ""}, ${duration(one.millis)}`} aria-hidden="true" tabIndex={-1} />
      ))}
    </span>
  );
}

function Table({ tests }: { tests: TestHistory[] }) {
  const jobs = new Set(tests.map((test) => test.job)).size;
  return (
    <div class="scroll">
      <table class="tests">
        <thead>
          <tr>
            <th>test</th>
            <th>oldest to newest</th>
            <th class="number">passed</th>
            <th class="number">median</th>
          </tr>
        </thead>
        <tbody>
          {tests.map((test) => (
            <tr key={`${test.job}\n${test.suite}\n${test.name}`}>
              <td>
                {test.suite && <span class="quiet">{test.suite} </span>}
                {test.name} {jobs > 1 && <span class="quiet">{test.job}</span>} {test.flaky && <span class="chip waiting" title={test.why}>flaky</span>}
              </td>
              <td>
                <Strip test={test} />
              </td>
              <td class="number">{passRate(test)}</td>
              <td class="number">{duration(median(test))}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** What the server keeps of a repository's test reports. Asked for anew when a run of it ends. */
function useTests(repository: string, ended: string): { tests: TestHistory[] | null; problem: string } {
  const [tests, setTests] = useState<TestHistory[] | null>(null);
  const [problem, setProblem] = useState("");
  useEffect(() => {
    let here = true;
    get<{ tests: TestHistory[] }>(`/tests/${encodeURIComponent(repository)}`)
      .then((answer) => here && (setTests(answer.tests), setProblem("")))
      .catch((error: Error) => here && setProblem(error.message));
    return () => void (here = false);
  }, [repository, ended]);
  return { tests, problem };
}

function Repository({ repository, ended }: { repository: string; ended: string }) {
  const { tests, problem } = useTests(repository, ended);
  const [filter, setFilter] = useState("");
  const [flaky, setFlaky] = useState(false);
  if (problem) return <p class="problem">{problem}</p>;
  if (!tests) return null;
  const unsteady = tests.filter((test) => test.flaky).length;
  const shown = sorted(tests).filter((test) => (!flaky || test.flaky) && `${test.suite} ${test.name}`.toLowerCase().includes(filter.toLowerCase()));
  return (
    <section>
      <h2>
        {repository} <span class="quiet">{tests.length} tests</span> {unsteady > 0 && <span class="chip waiting">{unsteady} flaky</span>}
      </h2>
      <div class="filter">
        <input aria-label="filter tests" placeholder="filter" value={filter} onInput={(event) => setFilter(event.currentTarget.value)} />
        <label>
          <input type="checkbox" checked={flaky} onChange={(event) => setFlaky(event.currentTarget.checked)} /> only flaky ones
        </label>
      </div>
      {shown.length > 0 ? <Table tests={shown.slice(0, 500)} /> : <p class="quiet">None.</p>}
      {shown.length > 500 && <p class="quiet">and {shown.length - 500} more: filter them</p>}
    </section>
  );
}

export function Tests({ repository }: { repository: string }) {
  const runs = useLive(pathOf.own("workflowruns"));
  const names = [...new Set(runs.items.filter((run) => run.status?.tests).map((run) => run.spec.change?.repository as string))].sort();
  const ended = (name: string) => runs.items.filter((run) => run.spec.change?.repository === name).map((run) => run.status?.finishedAt ?? "").sort().at(-1) ?? "";
  const shown = repository ? [repository] : names;
  return (
    <>
      <Problem of={[runs]} />
      <h1>Tests</h1>
      {shown.map((name) => (
        <Repository repository={name} ended={ended(name)} key={name} />
      ))}
      {shown.length === 0 && runs.state === "live" && (
        <Empty>
          No run has read a test report so far: <code>uses: slipway/test-report@v1</code> (or <code>artifacts: reports: junit</code>) does.
        </Empty>
      )}
    </>
  );
}
