// The path, runs and pull requests as a person sees them.
import { check, heard, person, say, token, url } from "./browser.mjs";

await person(async (page, me) => {
  await me.open("");
  await page.getByRole("button", { name: "Sign in" }).waitFor();
  await me.open(`#token=${token}`);
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
  await page.locator(".log pre", { hasText: "hello from the log" }).waitFor();
  await page.locator(".graph .job", { hasText: "after" }).waitFor();
  check((await page.locator(".graph .edge").count()) === 1, "the graph joins what needs what");
  check((await page.locator(".log img").count()) === 0, "a log line became an element");
  say("run");

  // A pull request, and its button.
  await heard("asked");
  await me.open("#/pulls");
  await page.getByText("Say it louder").click();
  await page.getByRole("button", { name: "Merge" }).click();
  await page.locator(".chip", { hasText: "merged" }).waitFor();
  say("merged");

  // Slipway goes away in the middle of a job and comes back; the page and the log with it.
  await heard("slow");
  await me.open("#/");
  await page.locator("article.change", { hasText: "A slow job" }).locator(".stop a").first().click();
  await page.locator(".log details", { hasText: "Run echo first line" }).locator("pre", { hasText: "first line" }).waitFor();
  me.minds = false; // requests fail, and are said to
  say("reading");
  await heard("stopped");
  await page.getByText("Slipway does not answer").waitFor();
  say("away");
  await heard("started");
  await page.getByText("Slipway does not answer").waitFor({ state: "detached" });
  await page.locator(".log pre > :not(.own)", { hasText: "last line" }).waitFor({ timeout: 40000 });
  await page.locator(".job.succeeded").waitFor();
  me.minds = true;
  await me.open("#/");
  await page.locator("article.change", { hasText: "A slow job" }).waitFor();
  say("back");
  await heard("pushed");
  await page.locator("article.change", { hasText: "After the break" }).waitFor();
  say("seen");

  // Objects of any kind, and one of them.
  await me.open("#/objects/core/configmaps");
  await page.locator("td", { hasText: "kube-root-ca.crt" }).first().waitFor();
  await page.getByRole("link", { name: "kube-root-ca.crt" }).first().click();
  await page.locator("pre.code", { hasText: "BEGIN CERTIFICATE" }).waitFor();
  await me.open("#/environments");
  await page.getByText("No Application so far").waitFor();

  // By keys alone: the first stop skips to the content, then the views follow.
  await me.open("#/");
  await page.reload();
  await page.locator("main").waitFor();
  await page.keyboard.press("Tab");
  check(await page.evaluate(() => document.activeElement?.classList.contains("skip")), "the first stop skips the head");
  await page.keyboard.press("Enter");
  check(await page.evaluate(() => document.activeElement?.tagName === "MAIN"), "and leads to the content");

  // A telephone.
  await page.setViewportSize({ width: 380, height: 800 });
  for (const hash of ["#/", "#/pulls", "#/pr/app/1", "#/objects/core/namespaces", "#/environments", "#/no%E0%A4%such"]) {
    await me.open(hash);
    check(!(await page.evaluate(() => document.documentElement.scrollWidth > innerWidth + 1)), `${hash} scrolls sideways`);
  }
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByRole("button", { name: "Sign in" }).waitFor();
  check(await page.evaluate(() => sessionStorage.length + localStorage.length === 0), "the token is forgotten");
});
