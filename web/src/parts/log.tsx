import { useEffect, useRef, useState } from "preact/hooks";
import { request } from "../kube";
import { ansi, logLine } from "../model/text";
import { readLines } from "../watch";

const most = 5000; // lines shown; the whole is a download away

/** A log that grows: the past, then each line as it comes. */
export function Log({ path, timed }: { path: string; timed?: boolean }) {
  const [lines, setLines] = useState<string[]>([]);
  const [cut, setCut] = useState(0);
  const [state, setState] = useState("");
  const box = useRef<HTMLPreElement>(null);
  const atEnd = useRef(true);
  useEffect(() => {
    const stopper = new AbortController();
    const all: string[] = [];
    let dropped = 0;
    let told = false;
    const tell = () => {
      if (told) return;
      told = true;
      setTimeout(() => {
        told = false;
        setLines([...all]);
        setCut(dropped);
      }, 50);
    };
    setLines([]);
    setState("");
    request(path, { signal: stopper.signal })
      .then((answer) =>
        readLines(answer, (line) => {
          all.push(line);
          if (all.length > most + 500) dropped += all.splice(0, 500).length;
          tell();
        }),
      )
      .then(tell)
      .catch((error: Error) => !stopper.signal.aborted && setState(error.message));
    return () => stopper.abort();
  }, [path]);
  useEffect(() => {
    if (box.current && atEnd.current) box.current.scrollTop = box.current.scrollHeight;
  }, [lines]);
  return (
    <pre
      class="log"
      ref={box}
      tabIndex={0}
      aria-label="log"
      onScroll={(event) => {
        const pre = event.currentTarget;
        atEnd.current = pre.scrollTop + pre.clientHeight > pre.scrollHeight - 30;
      }}
    >
      {cut > 0 && <span class="own">{`${cut} earlier lines are not shown\n`}</span>}
      {lines.map((line) => {
        const entry = timed ? logLine(line) : { time: "", stream: 1, text: line };
        return (
          <span class={entry.stream === 0 ? "own" : entry.stream === 2 ? "err" : ""}>
            {entry.time && <span class="time">{entry.time} </span>}
            {ansi(entry.text).map((piece) => (piece.style ? <span class={piece.style}>{piece.text}</span> : piece.text))}
            {"\n"}
          </span>
        );
      })}
      {state && <span class="err">{state}</span>}
      {!state && lines.length === 0 && <span class="own">nothing was written so far</span>}
    </pre>
  );
}
