import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { ApiError, request } from "../kube";
import { ansi, duration, logParts, type LogLine } from "../model/text";
import { firstDelay, nextDelay, readLines } from "../watch";

const most = 5000; // lines shown

interface Shown {
  lines: string[];
  cut: number;
}

function Line({ line }: { line: LogLine }) {
  return (
    <span class={line.stream === 0 ? "own" : line.stream === 2 ? "err" : ""}>
      {line.time && <span class="time">{line.time} </span>}
      {ansi(line.text).map((piece) => (piece.style ? <span class={piece.style}>{piece.text}</span> : piece.text))}
      {"\n"}
    </span>
  );
}

/** A log that grows: the past, then each line as it comes. `more`: the end of the stream is not the end of the log. */
export function Log({ path, timed, more }: { path: string; timed?: boolean; more: boolean }) {
  const [shown, show] = useState<Shown>({ lines: [], cut: 0 });
  const [problem, setProblem] = useState("");
  const box = useRef<HTMLDivElement>(null);
  const atEnd = useRef(true);
  const goesOn = useRef(more);
  goesOn.current = more;
  const wake = useRef(() => {});
  useEffect(() => {
    if (more) wake.current();
  }, [more]);
  useEffect(() => {
    const stopper = new AbortController();
    const { signal } = stopper;
    let all: string[] = [];
    let dropped = 0;
    let told = false;
    const tell = () => {
      if (told || signal.aborted) return;
      told = true;
      setTimeout(() => {
        told = false;
        if (!signal.aborted) show({ lines: [...all], cut: dropped });
      }, 50);
    };
    const follow = async () => {
      for (let delay = firstDelay; !signal.aborted; delay = nextDelay(delay)) {
        try {
          const answer = await request(path, { signal });
          // It begins with the past again, whatever was seen before a break.
          (all = []), (dropped = 0);
          setProblem("");
          await readLines(answer, (line) => {
            all.push(line);
            if (all.length > most + 500) dropped += all.splice(0, 500).length;
            delay = firstDelay;
            tell();
          });
          tell();
          // What ended may go on: a run that a restart takes up again.
          if (!goesOn.current) await new Promise<void>((go) => (wake.current = go));
        } catch (error) {
          if (signal.aborted) return;
          setProblem((error as Error).message);
          if (error instanceof ApiError && error.status < 500) return;
        }
        await new Promise((go) => setTimeout(go, delay));
      }
    };
    show({ lines: [], cut: 0 });
    setProblem("");
    void follow();
    return () => stopper.abort();
  }, [path]);
  useEffect(() => {
    if (box.current && atEnd.current) box.current.scrollTop = box.current.scrollHeight;
  }, [shown]);
  // Made when the log grows, not when something around it changes.
  const parts = useMemo(
    () =>
      logParts(shown.lines, Boolean(timed)).map((part, i) => {
        const lines = (
          <pre>
            {part.lines.map((line) => (
              <Line line={line} />
            ))}
          </pre>
        );
        if (!part.name) return <div key={i}>{lines}</div>;
        return (
          <details open key={i}>
            <summary>
              {part.name} <span class="quiet">{part.millis !== undefined && duration(part.millis)}</span>
            </summary>
            {lines}
          </details>
        );
      }),
    [shown, timed],
  );
  return (
    <div
      class="log"
      ref={box}
      tabIndex={0}
      role="log"
      aria-label="log"
      aria-live="off"
      onScroll={(event) => {
        const { scrollTop, clientHeight, scrollHeight } = event.currentTarget;
        atEnd.current = scrollTop + clientHeight > scrollHeight - 30;
      }}
    >
      {shown.cut > 0 && <p class="own">{shown.cut} earlier lines are not shown</p>}
      {parts}
      {problem && <p class="err">{problem}</p>}
      {!problem && shown.lines.length === 0 && <p class="own">nothing was written so far</p>}
    </div>
  );
}
