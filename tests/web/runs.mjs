// A run from its approval to its second attempt; a form; a manual job; the strips of tests.
import { check, person, say, token, word } from "./browser.mjs";

const shots = process.env.PAGE_SHOTS; // a folder, for people who want to look
let number = 0;
const shot = async (page, name) => shots && (await page.screenshot({ path: `${shots}/${++number}-${name}.png`, fullPage: true }));

await person(async (page, me) => {
  await me.open(`#token=${token}`);
  const run = await word();
  await me.open(`#/run/${run}`);
  const ask = page.locator(".review .ask");
  await ask.getByText("waits for an approval into").waitFor();
  await ask.getByText("May approve: admin, group ops").waitFor();
  await page.locator(".graph .job.waiting", { hasText: "deploy" }).waitFor();
  await shot(page, "waits");
  await ask.getByRole("textbox").fill("go <b>on</b>");
  await ask.getByRole("button", { name: "Approve" }).click();
  await ask.waitFor({ state: "detached" });
  say("approved");
  await word();
  await page.locator(".graph .job.succeeded", { hasText: "deploy" }).click();
  await page.getByRole("link", { name: "https://shop.example/" }).waitFor();
  await shot(page, "deployed");

  // Where it is now.
  await me.open("#/environments");
  const card = page.locator(".card", { hasText: "production" });
  await card.getByText("Prices with <i>tax</i>").first().waitFor();
  await card.getByText("approved by admin").first().waitFor();
  await card.getByText("asks admin, group ops").waitFor();
  await shot(page, "environments");

  // The form says what is missing, and the run carries what was said.
  await me.open("#/workflows");
  const flow = page.locator(".workflow", { hasText: "Deploy" });
  await flow.getByText("30 4 * * 1-5 Europe/Berlin").waitFor();
  await flow.getByText("Run it").click();
  await flow.getByRole("button", { name: "Run", exact: true }).click();
  await flow.getByText("it is required").waitFor();
  await flow.getByLabel("count").fill("3");
  await flow.getByLabel("level").selectOption("minor");
  await flow.getByLabel("dry").uncheck();
  await shot(page, "form");
  await flow.getByRole("button", { name: "Run", exact: true }).click();
  const link = flow.getByRole("link", { name: /It runs/ });
  await link.waitFor();
  say("dispatched");
  await word();
  await link.click();
  await page.locator("p .bad", { hasText: "1 failed" }).waitFor();
  await shot(page, "failed");
  await page.getByRole("button", { name: "Run failed jobs again" }).click();
  await page.locator(".attempts a", { hasText: "attempt 2" }).waitFor();
  await page.locator("h1 .dot.succeeded").waitFor();
  await page.locator(".chip", { hasText: "flaky" }).waitFor();
  check(await page.getByText("net connects", { exact: false }).first().isVisible(), "the flaky test is named");
  await shot(page, "again");
  await page.locator(".attempts a", { hasText: "attempt 1" }).click();
  await page.locator(".graph .job.failed", { hasText: "test" }).click();
  await page.locator(".log", { hasText: "1 passed, 1 failed" }).waitFor();
  say("again");

  const manual = await word();
  await me.open(`#/run/${manual}`);
  await page.locator(".graph .job", { hasText: "deploy" }).click();
  await page.getByRole("button", { name: "Start" }).click();
  await page.locator(".log pre", { hasText: "deployed by hand" }).waitFor();

  await me.open("#/tests");
  const row = page.locator("tr", { hasText: "connects" });
  await row.locator(".chip", { hasText: "flaky" }).waitFor();
  check((await row.locator(".outcomes a.failed").count()) === 1 && (await row.locator(".outcomes a.passed").count()) >= 2, "its strip");
  check((await page.locator("tbody tr").first().innerText()).includes("connects"), "what is flaky comes first");
  await shot(page, "tests");
  await page.getByLabel("only flaky ones").check();
  await page.locator("tr", { hasText: "adds" }).waitFor({ state: "detached" });

  check((await page.locator("main b, main i").count()) === 0, "what people wrote became an element");
  await page.setViewportSize({ width: 380, height: 800 });
  for (const hash of ["#/workflows", "#/tests", `#/run/${run}`, "#/environments"]) {
    await me.open(hash);
    await page.locator("h1").waitFor();
    check(!(await page.evaluate(() => document.documentElement.scrollWidth > innerWidth + 1)), `${hash} scrolls sideways`);
  }
});
