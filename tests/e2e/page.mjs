// The person before the page: page.mjs PLAYWRIGHT URL TOKEN. Says on standard output what it has seen, waits on standard
// input for what happens meanwhile, one word a line; ends with 1 and why when something is not there.
import { createInterface } from "node:readline";

const [library, url, token] = process.argv.slice(2);
const { chromium } = await import(library);
const words = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const heard = async (want) => {
  const { value } = await words.next();
  if (value !== want) throw new Error(`heard ${value}, want ${want}`);
};
const say = (word) => console.log(word);
const check = (condition, what) => {
  if (!condition) throw new Error(what);
};

const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox", "--disable-dev-shm-usage"] });
const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
page.setDefaultTimeout(15000);
const wrong = [];
let away = false; // then requests fail, and are said to
page.on("console", (message) => message.type() === "error" && !away && wrong.push(message.text()));
page.on("pageerror", (error) => wrong.push(error.message));
try {
  await page.goto(url);
  await page.getByRole("button", { name: "Sign in" }).waitFor();
  await page.goto(`${url}/#token=${token}`);
  await page.reload();
  await page.getByText("Nothing was pushed so far").waitFor();
  check(!page.url().includes(token), "the token stays in the address");
  say("empty");

  // A push shows without a reload, its jobs as they go.
  await heard("pushed");
  const row = page.locator("article.change", { hasText: "onerror" });
  await row.locator(".stop.succeeded", { hasText: "greet" }).waitFor();
  check((await page.locator("img[src=x]").count()) === 0, "hostile text became an element");
  check(await page.evaluate(() => window.pwned === undefined), "hostile text ran");
  await row.locator(".stop", { hasText: "greet" }).locator("a").click();
  await page.locator("pre.log", { hasText: "hello from the log" }).waitFor();
  await page.locator(".graph .column").nth(1).getByText("after").waitFor();
  check((await page.locator("pre.log img").count()) === 0, "a log line became an element");
  say("run");

  // A pull request, and its button.
  await heard("asked");
  await page.goto(`${url}/#/pulls`);
  await page.getByText("Say it louder").click();
  await page.getByRole("button", { name: "Merge" }).click();
  await page.locator(".chip", { hasText: "merged" }).waitFor();
  say("merged");

  // Slipway goes away and comes back; the page with it.
  await page.goto(`${url}/#/`);
  await page.locator("article.change", { hasText: "Say it louder" }).first().waitFor();
  away = true;
  say("looking");
  await heard("stopped");
  await page.getByText("Slipway does not answer").waitFor();
  say("away");
  await heard("started");
  await page.getByText("Slipway does not answer").waitFor({ state: "detached" });
  away = false;
  await heard("pushed");
  await page.locator("article.change", { hasText: "After the break" }).waitFor();
  say("back");

  // Objects of any kind, and one of them.
  await page.goto(`${url}/#/objects/core/configmaps`);
  await page.locator("td", { hasText: "kube-root-ca.crt" }).first().waitFor();
  await page.getByRole("link", { name: "kube-root-ca.crt" }).first().click();
  await page.locator("pre.code", { hasText: "BEGIN CERTIFICATE" }).waitFor();
  await page.goto(`${url}/#/environments`);
  await page.getByText("No Application so far").waitFor();

  // A telephone.
  for (const hash of ["#/", "#/pulls", "#/objects/core/namespaces", "#/environments"]) {
    await page.setViewportSize({ width: 380, height: 800 });
    await page.goto(`${url}/${hash}`);
    await page.locator("main").waitFor();
    check(!(await page.evaluate(() => document.documentElement.scrollWidth > innerWidth + 1)), `${hash} scrolls sideways`);
  }
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByRole("button", { name: "Sign in" }).waitFor();
  check(wrong.length === 0, `the browser complains: ${wrong.join("; ")}`);
  say("done");
} catch (error) {
  console.error(error.message);
  console.error((await page.locator("body").innerText().catch(() => "")).slice(0, 1500));
  process.exitCode = 1;
}
await browser.close();
process.exit();  // whatever else would be said
