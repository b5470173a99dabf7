import { approve } from "../asks";
import type { Cell } from "../model/path";
import { age } from "../model/text";
import { Act, Dot } from "./parts";

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
export function Holds({ cells, now }: { cells: Cell[]; now: number }) {
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
