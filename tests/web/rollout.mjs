// A Rollout at its pause: promoted, aborted, tried again; and what it is made of.
import { check, person, say, token } from "./browser.mjs";

await person(async (page, me) => {
  await me.open(`#token=${token}`);
  await me.open("#/environments");
  const card = page.locator(".rollout", { hasText: "held" });
  await card.getByText("1 of 1 ready").waitFor();
  check((await card.getByRole("button").count()) === 0, "nothing to decide");
  say("healthy");
  const paused = card.locator(".stepbar [aria-current=step]", { hasText: "pause until promoted" });
  await paused.waitFor();
  await card.getByRole("button", { name: "Promote", exact: true }).click();
  await paused.waitFor({ state: "detached" });
  say("promoted");
  await paused.waitFor();
  await card.getByRole("button", { name: "Abort" }).click();
  const again = card.getByRole("button", { name: "Retry" });
  await again.waitFor();
  say("aborted");
  await again.click();
  await again.waitFor({ state: "detached" });
  say("retried");

  await card.getByRole("link", { name: "held" }).click();
  const family = page.locator("section", { hasText: "Family" });
  await family.getByText("Running").first().waitFor();
  await page.locator(".events", { hasText: "RolloutPaused" }).waitFor();
  await page.locator("pre.code", { hasText: "kind: Rollout" }).waitFor();
  await family.getByRole("link", { name: /^held-\w+-\w+$/ }).first().click();
  await page.locator(".log pre", { hasText: /version \d <b>bold<\/b>/ }).waitFor();
  check((await page.locator(".log b").count()) === 0, "a line of a pod became an element");
});
