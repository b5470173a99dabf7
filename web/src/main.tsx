import { render } from "preact";
import { useEffect, useReducer } from "preact/hooks";
import { useHash } from "./hooks";
import { onToken, setToken, takeToken, token } from "./kube";
import "./style.css";
import { Environments } from "./views/environments";
import { ObjectView, Objects } from "./views/objects";
import { PathView } from "./views/path";
import { PullRequest, PullRequests } from "./views/pulls";
import { RunView } from "./views/run";
import { SignIn } from "./views/signin";

const places: [string, string][] = [
  ["#/", "Path"],
  ["#/environments", "Environments"],
  ["#/pulls", "Pull requests"],
  ["#/objects", "Objects"],
];

function View({ words }: { words: string[] }) {
  switch (words[0] ?? "") {
    case "":
    case "promotion":
      return <PathView />;
    case "run":
      return <RunView name={words[1] ?? ""} job={words[2]} />;
    case "environments":
      return <Environments />;
    case "pulls":
      return <PullRequests />;
    case "pr":
      return <PullRequest repository={words.slice(1, -1).join("/")} number={Number(words.at(-1))} />;
    case "objects":
      return <Objects kind={words.slice(1)} />;
    case "object":
      return <ObjectView words={words.slice(1)} />;
    default:
      return <p class="empty">There is no such view. <a href="#/">The path</a></p>;
  }
}

function Page() {
  const [, again] = useReducer((n: number) => n + 1, 0);
  useEffect(() => onToken(() => again(undefined)), []);
  const hash = useHash();
  if (!token()) return <SignIn />;
  const words = hash.slice(2).split("/").map(decodeURIComponent);
  const here = (link: string) => (link === "#/" ? ["", "run", "promotion"].includes(words[0] ?? "") : link.slice(2).startsWith(words[0]!.slice(0, 2)) && words[0] !== "");
  return (
    <>
      <header>
        <a class="brand" href="#/">
          <img src="/icon.svg" alt="" width="22" height="22" />
          Slipway
        </a>
        <nav aria-label="views">
          {places.map(([link, name]) => (
            <a href={link} aria-current={here(link) ? "page" : undefined}>
              {name}
            </a>
          ))}
        </nav>
        <button class="plain leave" onClick={() => setToken(null)}>
          Sign out
        </button>
      </header>
      <main>
        <View words={words} />
      </main>
    </>
  );
}

const given = takeToken(location.hash);
if (given) {
  setToken(given.token);
  history.replaceState(null, "", location.pathname + given.rest);
}
render(<Page />, document.getElementById("page")!);
