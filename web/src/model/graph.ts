// A run's jobs in columns, each right of what it needs, and the lines between them.
/** Why a job has not begun though its turn has come. */
export interface Waiting {
  since: string;
  environment?: string;
  who?: string[];
  until?: string;
  byHand?: boolean;
}
export interface Job {
  key: string;
  name: string;
  phase: string;
  needs?: string[];
  message?: string;
  durationMs?: number;
  cached?: boolean;
  startedAt?: string;
  waiting?: Waiting;
  result?: { environment?: string; environmentUrl?: string; id?: string; resumable?: string; steps?: { name: string; conclusion: string; millis: number }[]; summary?: string };
}

/** The job that a need means: a job id, of which a matrix makes several. */
export function idOf(job: Job): string {
  return job.result?.id ?? job.key.replace(/ \(.*$/, "");
}

export function columns(jobs: Job[]): Job[][] {
  const depth = new Map<string, number>();
  const needs = new Map(jobs.map((job) => [idOf(job), job.needs ?? []]));
  const measure = (id: string, seen: Set<string>): number => {
    const known = depth.get(id);
    if (known !== undefined) return known;
    if (seen.has(id) || !needs.has(id)) return -1;
    seen.add(id);
    const found = Math.max(-1, ...needs.get(id)!.map((need) => measure(need, seen))) + 1;
    depth.set(id, found);
    return found;
  };
  const out: Job[][] = [];
  for (const job of jobs) (out[Math.max(0, measure(idOf(job), new Set()))] ??= []).push(job);
  return out.filter(Boolean);
}

export interface Node {
  job: Job;
  column: number;
  row: number; // columns are centred: halves occur
}
export interface Drawing {
  nodes: Node[];
  edges: { from: Node; to: Node }[];
  columns: number;
  rows: number;
}
/** Where each job stands, in units of a card, and which cards are joined. */
export function draw(jobs: Job[]): Drawing {
  const list = columns(jobs);
  const rows = Math.max(0, ...list.map((column) => column.length));
  const nodes = list.flatMap((column, i) => column.map((job, row): Node => ({ job, column: i, row: row + (rows - column.length) / 2 })));
  const edges = nodes.flatMap((to) => (to.job.needs ?? []).flatMap((need) => nodes.filter((from) => from.column < to.column && idOf(from.job) === need).map((from) => ({ from, to }))));
  return { nodes, edges, columns: list.length, rows };
}

/** Environments that jobs of a run ask an approval for, each once. */
export function asks(jobs: Job[]): { environment: string; jobs: Job[]; who: string[] }[] {
  const found = new Map<string, { environment: string; jobs: Job[]; who: string[] }>();
  for (const job of jobs) {
    const waiting = job.waiting;
    if (!waiting?.environment || waiting.byHand || !waiting.who?.length) continue;
    const one = found.get(waiting.environment) ?? { environment: waiting.environment, jobs: [], who: waiting.who };
    one.jobs.push(job);
    found.set(waiting.environment, one);
  }
  return [...found.values()];
}
