// Promotions that no approval lets in: one in a pull request, one that a window holds back, one that failed.
import { check, person, say, token, word } from "./browser.mjs";

await person(async (page, me) => {
  const number = await word();
  await me.open(`#token=${token}`);
  const lane = page.getByRole("region", { name: "app" });
  const at = (stage) => lane.getByRole("list", { name: `app at ${stage}` });
  await at("staging").locator(".token.failed", { hasText: "c0ffee0" }).waitFor();
  await at("late").getByText("held back: no promotions during").waitFor();
  await at("production").locator(".token.waiting", { hasText: `#${number}` }).waitFor();
  check((await page.getByRole("button", { name: "Approve" }).count()) === 0, "nothing here waits for an approval");

  await me.open("#/environments");
  const card = (name) => page.getByRole("region", { name, exact: true });
  await card("shop-staging").locator(".problem", { hasText: "c0ffee000000 failed" }).waitFor();
  await card("shop-late").getByText("held back: no promotions during").waitFor();
  const waits = card("shop-production").locator(".next", { hasText: "waits in" });
  check((await page.getByRole("button", { name: "Approve" }).count()) === 0, "nor here");
  await waits.getByRole("link", { name: `shop-config#${number}` }).click();

  await page.locator("h1", { hasText: `shop-config#${number}` }).waitFor();
  const request = page.url();

  // On a telephone: a title with a whole commit and a long word keeps to its card.
  await page.setViewportSize({ width: 390, height: 800 });
  const beyond = () => [...document.querySelectorAll("main *")].filter((element) => element.getBoundingClientRect().right > innerWidth).length;
  await me.open("#/pulls");
  await page.getByText("Revert c0ffee000000 and www").waitFor();
  check((await page.evaluate(beyond)) === 0, "a title runs out of its card");
  await page.getByText("Revert c0ffee000000").click();
  await page.locator("h1", { hasText: "app#1" }).waitFor();
  check((await page.evaluate(beyond)) === 0, "a title runs out of the page");
  await me.open(request.slice(request.indexOf("#")));

  // Closed, it says so once, and not as if something were wrong.
  await page.getByRole("button", { name: "Close" }).click();
  await page.locator(".chip", { hasText: "closed" }).waitFor();
  check((await page.locator("main").innerText()).split("by admin").length === 2, "who closed it, once");
  check((await page.locator(".problem").count()) === 0, "it is no problem");
  say("closed");
});
