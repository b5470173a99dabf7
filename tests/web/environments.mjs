// Applications and Kustomizations as a person sees them: what failed, what runs, where it is, and the buttons.
import { check, person, say, token, word } from "./browser.mjs";

await person(async (page, me) => {
  const commit = await word();
  await me.open(`#token=${token}`);
  await me.open("#/environments");
  const card = (name) => page.getByRole("region", { name, exact: true });

  // A sync that failed says so, and of what.
  const bad = card("bad");
  await bad.getByRole("button", { name: "Sync" }).click();
  await bad.locator(".operation .problem", { hasText: "sync failed" }).waitFor();
  await bad.locator(".operation li", { hasText: "no-port" }).waitFor();
  check(!(await bad.innerText()).includes("synced"), "what failed was not synced");
  say("failed");

  // A hook that runs is named, and may be ended.
  const hooked = card("hooked");
  await hooked.getByRole("button", { name: "Sync" }).click();
  await hooked.locator(".operation li", { hasText: "PreSync hook Job migrate" }).waitFor();
  await hooked.getByText("sync runs for").waitFor();
  await hooked.getByRole("button", { name: "Terminate" }).click();
  await hooked.locator(".problem", { hasText: "operation terminated" }).waitFor();
  check((await hooked.getByRole("button", { name: "Terminate" }).count()) === 0, "what has ended is not to be ended");
  say("terminated");

  // Several sources, with and without revisions.
  await card("both").getByText(`2 sources at ${commit}, ${commit}`).waitFor();
  await card("both").getByText("2 objects").waitFor();
  const nothing = card("nothing");
  await nothing.locator(".problem", { hasText: "ComparisonError" }).waitFor();
  check(!/ at ,| at $/m.test(await nothing.innerText()), "no revision, no word of it");

  // Outside the home namespace.
  const web = card("team/web");
  await web.getByRole("button", { name: "Refresh" }).click();
  await web.getByRole("button", { name: "Sync" }).click();
  await web.getByText(/synced \d+ s ago/).waitFor();
  await web.getByText("1 object", { exact: true }).waitFor();
  say("team");

  // Flux.
  const fluxed = card("Kustomization fluxed");
  await fluxed.locator(".chip", { hasText: "Ready" }).waitFor();
  await fluxed.getByText(`at main@${commit}`).waitFor();
  await fluxed.getByRole("button", { name: "Reconcile" }).click();
  const still = card("Kustomization still");
  await still.locator(".chip", { hasText: "Suspended" }).waitFor();
  check((await still.getByRole("button").count()) === 0, "what is suspended is not reconciled");
  await card("Kustomization lost").locator(".problem").waitFor();
  say("reconciled");

  await page.setViewportSize({ width: 390, height: 800 });
  check(!(await page.evaluate(() => document.documentElement.scrollWidth > innerWidth + 1)), "the environments scroll sideways");
});
