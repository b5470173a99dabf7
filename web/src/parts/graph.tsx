import { useClock } from "../hooks";
import { draw, type Job, type Node } from "../model/graph";
import { light } from "../model/path";
import { age, duration } from "../model/text";
import { Dot } from "./parts";

const card = { width: 190, height: 44, right: 54, below: 12, edge: 4 };
const left = (node: Node) => card.edge + node.column * (card.width + card.right);
const top = (node: Node) => card.edge + node.row * (card.height + card.below);

function line(from: Node, to: Node): string {
  const [x1, y1] = [left(from) + card.width, top(from) + card.height / 2];
  const [x2, y2] = [left(to), top(to) + card.height / 2];
  const bend = x1 + card.right / 2;
  // Past columns in between it runs straight, and bends in the last gap only.
  const start = x2 - card.right;
  return start > x1 + 1 ? `M${x1} ${y1}H${start}C${start + card.right / 2} ${y1} ${start + card.right / 2} ${y2} ${x2} ${y2}` : `M${x1} ${y1}C${bend} ${y1} ${bend} ${y2} ${x2} ${y2}`;
}

function took(job: Job, now: number): string {
  if (job.cached) return "cached";
  if (job.phase === "Running") return job.startedAt ? age(job.startedAt, now) : "running";
  return job.durationMs !== undefined && job.phase !== "Skipped" ? duration(job.durationMs) : "";
}

/** The jobs of a run and what each waits for. */
export function Graph({ jobs, run, chosen, attempt }: { jobs: Job[]; run: string; chosen?: Job; attempt?: number }) {
  const now = useClock(jobs.some((job) => job.phase === "Running") ? 1000 : 60000);
  const drawing = draw(jobs);
  const width = 2 * card.edge + drawing.columns * (card.width + card.right) - card.right;
  const height = 2 * card.edge + drawing.rows * (card.height + card.below) - card.below;
  if (jobs.length === 0) return null;
  return (
    <div class="graph" role="group" aria-label="jobs">
      <div class="sheet" style={{ width: `${width}px`, height: `${height}px` }}>
        <svg width={width} height={height} aria-hidden="true">
          {drawing.edges.map(({ from, to }) => (
            <path class={`edge ${light(from.job.phase)}`} d={line(from, to)} key={`${from.job.key} ${to.job.key}`} />
          ))}
        </svg>
        {drawing.nodes.map((node) => (
          <a
            class={`job ${light(node.job.phase)}`}
            href={`#/run/${run}/${encodeURIComponent(node.job.key)}${attempt ? `/${attempt}` : ""}`}
            aria-current={node.job === chosen ? "true" : undefined}
            title={[node.job.name, node.job.message, node.job.needs?.length ? `after ${node.job.needs.join(", ")}` : ""].filter(Boolean).join("\n")}
            style={{ left: `${left(node)}px`, top: `${top(node)}px`, width: `${card.width}px`, height: `${card.height}px` }}
            key={node.job.key}
          >
            <Dot light={light(node.job.phase)} /> <strong>{node.job.name}</strong>
            <span class="quiet">{took(node.job, now)}</span>
          </a>
        ))}
      </div>
    </div>
  );
}
