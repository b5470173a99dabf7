// An Application that asks before it deletes much, and the button that lets it.
import { check, heard, person, say, token } from "./browser.mjs";

await person(async (page, me) => {
  await me.open(`#token=${token}`);
  await me.open("#/environments");
  const card = page.locator(".card", { hasText: "shop-dev" });
  await card.getByText("waiting for approval to delete 2 objects").waitFor();
  say("asks");
  await heard("nothing went");
  const past = card.getByRole("list", { name: "what ran of api in dev before" });
  await card.getByText("1 before").click();
  await past.getByText("too slow").waitFor();
  check((await past.locator("li").count()) === 1, "what runs now is not of the past");
  await card.getByRole("button", { name: "Let it delete" }).click();
  await card.getByText("waiting for approval").waitFor({ state: "detached" });
  say("gone");
});
