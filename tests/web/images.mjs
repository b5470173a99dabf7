// The registry, as a person looks at it: repositories, tags, an image with its layers, what is said about it, findings.
import { check, person, say, token, word } from "./browser.mjs";

const shots = process.env.PAGE_SHOTS; // a folder, for people who want to look
let number = 0;
const shot = async (page, name) => shots && (await page.screenshot({ path: `${shots}/${++number}-${name}.png`, fullPage: true }));

await person(async (page, me) => {
  await me.open(`#token=${token}`);
  await page.getByRole("link", { name: "Images" }).click();
  await page.getByText("No image is here so far").waitFor();
  say("empty");
  await word();
  await page.reload();
  await page.getByRole("link", { name: "shop/web" }).waitFor();
  await shot(page, "repositories");
  await page.getByLabel("filter repositories").fill("shop");
  check((await page.locator(".plainlist li").count()) === 1, "the filter filters");
  await page.getByRole("link", { name: "shop/web" }).click();
  await page.getByText("62 tags").waitFor();
  await page.getByRole("button", { name: "12 more" }).waitFor();
  await page.getByLabel("filter tags").fill("v1");
  await page.locator("tbody tr", { hasText: "linux/amd64, linux/arm64" }).waitFor();
  await shot(page, "tags");
  await page.getByRole("link", { name: "v1", exact: true }).click();
  await page.locator(".platforms a[aria-current]", { hasText: "linux/amd64" }).waitFor();
  await page.getByText("RUN make <b>all</b>").waitFor();
  await page.locator(".facts", { hasText: "nobody" }).waitFor();
  await page.getByText("2 variables").click();
  await page.getByText("GREETING=<img src=x onerror=pwned=1>").waitFor();
  await page.locator("tr", { hasText: "SBOM" }).first().waitFor();
  await page.locator("tr", { hasText: "signature" }).first().waitFor();
  await page.locator("tr", { hasText: "private-key" }).or(page.getByText("None.")).first().waitFor();
  await shot(page, "image");
  check(!(await page.evaluate(() => window.pwned)), "text of an image is run");
  await page.getByRole("link", { name: "linux/arm64" }).click();
  await page.locator(".platforms a[aria-current]", { hasText: "linux/arm64" }).waitFor();
  await page.getByRole("link", { name: "linux/amd64" }).click();
  await page.locator("tr", { hasText: "signature" }).first().getByRole("link").click();
  await page.getByText("application/vnd.dev.sigstore.bundle.v0.3+json").first().waitFor();
  await page.locator(".facts", { hasText: "about" }).getByRole("link").waitFor();
  await page.getByText("what it says").click();
  await page.getByText('"mediaType": "x"').waitFor();
  await shot(page, "signature");
  me.minds = false; // the browser says 404 itself
  await me.open("#/images/no%2Fsuch/v1");
  await page.getByText("no manifest v1").waitFor();
});
