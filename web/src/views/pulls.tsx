import { useLive, useClock } from "../hooks";
import { close, merge } from "../asks";
import { pathOf } from "../kube";
import { light } from "../model/path";
import { commentOf, ending, stateOf } from "../model/pulls";
import { age, brief, short } from "../model/text";
import { Act, Chip, Dot, Empty, Markdown, Problem } from "../parts/parts";

export function PullRequests() {
  const live = useLive(pathOf.own("pullrequests"));
  const now = useClock();
  return (
    <>
      <Problem of={[live]} />
      <h1>Pull requests</h1>
      <ul class="pulls">
        {live.items.map((pull) => (
          <li key={pull.metadata.uid}>
            <Dot light={stateOf(pull).light} />
            <a href={`#/pr/${pull.spec.repository}/${pull.spec.number}`}>
              <strong title={pull.spec.title}>{brief(pull.spec.title)}</strong>
            </a>
            <span class="quiet">
              {pull.spec.repository}#{pull.spec.number} by {pull.spec.author} into {pull.spec.base} · {stateOf(pull).word} · {age(pull.metadata.creationTimestamp, now)}
            </span>
          </li>
        ))}
      </ul>
      {live.items.length === 0 && live.state === "live" && (
        <Empty>
          None so far. <code>git push origin HEAD:refs/for/main</code> opens one.
        </Empty>
      )}
    </>
  );
}

export function PullRequest({ repository, number }: { repository: string; number: number }) {
  const live = useLive(pathOf.own("pullrequests"));
  const now = useClock();
  const pull = live.items.find((item) => item.spec.repository === repository && item.spec.number === number);
  if (!pull) return live.state === "live" ? <Empty>There is no pull request {repository}#{number}.</Empty> : <Problem of={[live]} />;
  const state = stateOf(pull);
  const checks: { context: string; state: string; message: string; run: string }[] = pull.status?.checks ?? [];
  const green = pull.status?.checksState === "Succeeded" && pull.status?.mergeable !== false;
  return (
    <>
      <Problem of={[live]} />
      <h1 title={pull.spec.title}>
        <Dot light={state.light} /> {brief(pull.spec.title)}{" "}
        <span class="quiet">
          {repository}#{number}
        </span>
      </h1>
      <p>
        <Chip light={state.light}>{state.word}</Chip> {ending(pull, now) && <span class="quiet">{ending(pull, now)} · </span>}
        <code>{short(pull.spec.head)}</code> by {pull.spec.author} into <code>{pull.spec.base}</code>
      </p>
      <p class="acts">
        {state.word === "open" && green && <Act label="Merge" run={() => merge(pull)} />}
        {state.word === "open" && <Act label="Close" kind="plain" confirm={`Close ${repository}#${number} without merging it?`} run={() => close(pull)} />}
      </p>
      {state.word === "open" && pull.status?.message && <p class="problem">{pull.status.message}</p>}
      <ul class="checks">
        {checks.map((check) => (
          <li>
            <a href={check.run ? `#/run/${check.run}` : undefined}>
              <Dot light={light(check.state)} /> {check.context}
            </a>{" "}
            <span class="quiet">{check.message}</span>
          </li>
        ))}
      </ul>
      {commentOf(pull) && <Markdown text={commentOf(pull)} without="Checks of" />}
    </>
  );
}
