import type { Obj } from "../kube";
import { light } from "../model/path";
import { age, brief, count, short } from "../model/text";
import { Dot } from "./parts";

interface Deployment {
  run: string;
  attempt: number;
  job: string;
  commit: string;
  ref: string;
  subject: string;
  phase: string;
  startedAt: string;
  finishedAt?: string;
  url?: string;
  approvedBy?: string[];
}

function rules(environment: Obj): string {
  const { reviewers, wait, branches, tags, preventSelfReview } = environment.spec;
  const who = [...(reviewers?.users ?? []), ...(reviewers?.groups ?? []).map((group: string) => `group ${group}`)];
  return [
    who.length > 0 && `asks ${who.join(", ")}${preventSelfReview ? ", not who started it" : ""}`,
    wait && `waits ${wait}`,
    [...(branches ?? []), ...(tags ?? []).map((tag: string) => `tag ${tag}`)].length > 0 && `only ${[...(branches ?? []), ...(tags ?? []).map((tag: string) => `tag ${tag}`)].join(", ")}`,
  ]
    .filter(Boolean)
    .join(" · ");
}

function What({ of, now }: { of: Deployment; now: number }) {
  return (
    <>
      <a href={`#/run/${of.run}/${encodeURIComponent(of.job)}`}>
        <code>{short(of.commit)}</code>
      </a>{" "}
      {brief(of.subject)} <span class="quiet">
        {of.ref.replace(/^refs\/(heads|tags)\//, "")} · {age(of.finishedAt ?? of.startedAt, now)} ago{of.approvedBy?.length ? ` · approved by ${of.approvedBy.join(", ")}` : ""}
      </span>
    </>
  );
}

/** What jobs deployed to the environments that they name. */
export function Deployments({ environments, now }: { environments: Obj[]; now: number }) {
  if (environments.length === 0) return null;
  const sorted = [...environments].sort((a, b) => `${a.spec.repository} ${a.spec.name}`.localeCompare(`${b.spec.repository} ${b.spec.name}`));
  return (
    <section>
      <h2>Deployments by workflows</h2>
      <div class="cards">
        {sorted.map((environment) => {
          const history: Deployment[] = environment.status?.history ?? [];
          const current: Deployment | undefined = environment.status?.current;
          const url = current?.url && /^https?:/.test(current.url) ? current.url : "";
          return (
            <section class="card" key={environment.metadata.uid}>
              <h3>
                {environment.spec.name} <span class="quiet">{environment.spec.repository}</span>
              </h3>
              {rules(environment) && <p class="quiet">{rules(environment)}</p>}
              {current ? (
                <p>
                  <Dot light="succeeded" current /> <What of={current} now={now} />
                </p>
              ) : (
                <p class="quiet">Nothing was deployed so far.</p>
              )}
              {url && (
                <p>
                  <a href={url} rel="noreferrer noopener">
                    {url}
                  </a>
                </p>
              )}
              {history.length > 1 && (
                <details>
                  <summary>{count(history.length, "deployment")}</summary>
                  <ul class="holds">
                    {history.map((one) => (
                      <li key={`${one.run} ${one.attempt} ${one.job}`}>
                        <Dot light={light(one.phase)} /> <What of={one} now={now} />
                      </li>
                    ))}
                  </ul>
                </details>
              )}
            </section>
          );
        })}
      </div>
    </section>
  );
}
