import { render } from "preact";
import { useEffect, useReducer } from "preact/hooks";
import { useHash } from "./hooks";
import { onToken, setToken, takeToken, token } from "./kube";
import "./style.css";
import { Environments } from "./views/environments";
import { Images } from "./views/images";
import { ObjectView, Objects } from "./views/objects";
import { PathView } from "./views/path";
import { PullRequest, PullRequests } from "./views/pulls";
import { RunView } from "./views/run";
import { SignIn } from "./views/signin";
import { Tests } from "./views/tests";
import { Workflows } from "./views/workflows";

const places: { link: string; name: string; views: string[] }[] = [
  { link: "#/", name: "Path", views: ["", "run", "promotion"] },
  { link: "#/environments", name: "Environments", views: ["environments"] },
  { link: "#/workflows", name: "Workflows", views: ["workflows"] },
  { link: "#/images", name: "Images", views: ["images"] },
  { link: "#/tests", name: "Tests", views: ["tests"] },
  { link: "#/pulls", name: "Pull requests", views: ["pulls", "pr"] },
  { link: "#/objects", name: "Objects", views: ["objects", "object"] },
];

/** A link from outside may be anything: what is not well encoded is taken as it stands. */
function wordsOf(hash: string): string[] {
  return hash
    .slice(2)
    .split("/")
    .map((word) => {
      try {
        return decodeURIComponent(word);
      } catch {
        return word;
      }
    });
}

function View({ words }: { words: string[] }) {
  switch (words[0] ?? "") {
    case "":
    case "promotion":
      return <PathView />;
    case "run":
      return <RunView name={words[1] ?? ""} job={words[2]} attempt={Number(words[3]) || undefined} />;
    case "environments":
      return <Environments />;
    case "workflows":
      return <Workflows chosen={words[1]} />;
    case "images":
      return <Images repository={words[1] ?? ""} reference={words[2] ?? ""} platform={words[3] ?? ""} />;
    case "tests":
      return <Tests repository={words[1] ?? ""} />;
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
  const words = wordsOf(hash);
  const here = places.find((place) => place.views.includes(words[0] ?? ""));
  useEffect(() => {
    document.title = `${[...words.slice(1).reverse(), here?.name].filter((word) => word && word !== "-")[0] ?? "Slipway"} · Slipway`;
  }, [hash]);
  if (!token()) return <SignIn />;
  return (
    <>
      <a class="skip" href={hash} onClick={(event) => (event.preventDefault(), document.querySelector("main")?.focus())}>
        To the content
      </a>
      <header>
        <a class="brand" href="#/">
          <img src="/icon.svg" alt="" width="22" height="22" />
          Slipway
        </a>
        <nav aria-label="views">
          {places.map((place) => (
            <a href={place.link} aria-current={place === here ? "page" : undefined}>
              {place.name}
            </a>
          ))}
        </nav>
        <button class="plain leave" onClick={() => setToken(null)}>
          Sign out
        </button>
      </header>
      <main tabIndex={-1}>
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
