// What waits at an environment's door, and the button that lets it in.
import { check, person, say, token } from "./browser.mjs";

await person(async (page, me) => {
  await me.open(`#token=${token}`);
  await page.getByText("Nothing was pushed so far").waitFor();
  say("empty");
  const lane = page.getByRole("region", { name: "app" });
  const waits = lane.locator(".station.environment .token.waiting", { hasText: "c0ffee0" });
  await waits.waitFor();
  check((await lane.locator(".token").count()) === 1, "it is nowhere else");
  await waits.getByRole("button", { name: "Approve" }).click();
  await waits.waitFor({ state: "detached" });
  await lane.locator(".station.environment .token", { hasText: "c0ffee0" }).waitFor();
  say("approved");

  // A telephone has no room for columns; nothing is lost.
  await page.setViewportSize({ width: 380, height: 800 });
  await lane.locator(".station .name", { hasText: "production" }).waitFor();
  check(!(await page.evaluate(() => document.documentElement.scrollWidth > innerWidth + 1)), "the path scrolls sideways");
});
