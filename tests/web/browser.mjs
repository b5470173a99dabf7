// A person with a browser: SCRIPT PLAYWRIGHT URL TOKEN. Says on standard output what was seen, hears on standard input
// what happened meanwhile, one word a line; ends with 1 and why when something is not there.
import { createInterface } from "node:readline";

const [library, url, token] = process.argv.slice(2);
const { chromium } = await import(library);
const words = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

export { url, token };
export const say = (word) => console.log(word);
export const word = async () => (await words.next()).value;
export async function heard(want) {
  const { value } = await words.next();
  if (value !== want) throw new Error(`heard ${value}, want ${want}`);
}
export function check(condition, what) {
  if (!condition) throw new Error(what);
}

/** Runs `visit(page, person)`; what the browser complains about while `person.minds` is a failure. */
export async function person(visit) {
  const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox", "--disable-dev-shm-usage"] });
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
  page.setDefaultTimeout(15000);
  page.on("dialog", (dialog) => void dialog.accept());
  const wrong = [];
  const me = {
    minds: true,
    // Chromium breaks off what it loads when networks change, as they do where pods come and go: then once more.
    async open(path) {
      for (let tries = 0; ; ++tries) {
        await page.goto(`${url}/${path}`).catch(() => undefined);
        const there = await page.locator("main").waitFor({ timeout: 3000 }).then(() => true, () => false);
        if (there) return;
        check(tries < 4, `${path}: the page does not load`);
        await page.reload().catch(() => undefined);
      }
    },
  };
  const complain = (text) => me.minds && !text.includes("ERR_NETWORK_CHANGED") && wrong.push(text);
  page.on("console", (message) => message.type() === "error" && complain(message.text()));
  page.on("pageerror", (error) => complain(error.message));
  try {
    await visit(page, me);
    check(wrong.length === 0, `the browser complains: ${wrong.join("; ")}`);
    say("done");
  } catch (error) {
    console.error(error.message);
    console.error(page.url(), (await page.locator("body").innerText().catch(() => "")).slice(0, 2500));
    process.exitCode = 1;
  }
  await browser.close();
  process.exit(); // whatever else would be said
}
