// The history of tests as the server tells it: a strip of outcomes a test, oldest first.
export interface TestHistory {
  job: string;
  suite: string;
  name: string;
  strip: { outcome: "passed" | "failed" | "skipped"; commit: string; run: string; attempt: number; job: string; at: string; millis: number }[];
  flaky: boolean;
  flips?: number; // different outcomes on one commit
  why?: string;
}

/** What people look for first: flaky, then failing, then by name. */
export function sorted(tests: TestHistory[]): TestHistory[] {
  const rank = (test: TestHistory) => (test.flaky ? 0 : test.strip.at(-1)?.outcome === "failed" ? 1 : 2);
  return [...tests].sort((a, b) => rank(a) - rank(b) || `${a.suite} ${a.name}`.localeCompare(`${b.suite} ${b.name}`));
}

export function passRate(test: TestHistory): string {
  const counted = test.strip.filter((one) => one.outcome !== "skipped");
  if (counted.length === 0) return "";
  return `${Math.round((100 * counted.filter((one) => one.outcome === "passed").length) / counted.length)} %`;
}

export function median(test: TestHistory): number {
  const times = test.strip.filter((one) => one.outcome !== "skipped").map((one) => one.millis).sort((a, b) => a - b);
  return times.length === 0 ? 0 : times[Math.floor(times.length / 2)]!;
}
