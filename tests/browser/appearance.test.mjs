// The pages fit a phone and a desktop, light and dark, and can be read and used by everybody. Makes the README's
// screenshots, too, where OBOL_SCREENSHOTS names the folder to put them into.
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { agents, AuthServer, launch, logIn, newBrowser, Redis, signUp } from "./support.mjs";

const shots = process.env.OBOL_SCREENSHOTS;
const wanted = ["devices-desktop-light", "devices-phone-dark"];
const sizes = {
  phone: { userAgent: agents.phone, viewport: { width: 390, height: 760 } },
  desktop: { userAgent: agents.desktop, viewport: { width: 1120, height: 700 } },
};

let redis, server, browser;
before(async () => {
  [redis, browser] = await Promise.all([new Redis().start(), launch()]);
  server = await AuthServer.start("--redis", redis.uri);
  await signUp(await newBrowser(browser, { userAgent: agents.laptop }), server, "penelope");
  await logIn(await newBrowser(browser, { userAgent: agents.tablet }), server, "penelope");
});
after(async () => {
  await browser?.close();
  await server?.stop();
  await redis?.stop();
});

/** In the page: what cannot be read or used. */
function faults() {
  const found = [];
  const root = document.documentElement;
  if (root.scrollWidth > root.clientWidth) found.push(`${root.scrollWidth - root.clientWidth} px too wide`);
  for (const input of document.querySelectorAll("input:not([type=hidden])")) {
    if (input.labels.length === 0) found.push(`${input.name} has no label`);
  }
  for (const target of document.querySelectorAll("button, nav a, input:not([type=hidden])")) {
    const { height } = target.getBoundingClientRect();
    if (height < 36) found.push(`${target.textContent || target.name} is too small to hit`);
  }
  if (document.querySelectorAll("h1").length !== 1) found.push("not one heading");
  if (!document.title || !root.lang) found.push("no title or language");

  const numbers = (color) => color.match(/[\d.]+/g).map(Number);
  const luminance = (color) => {
    const [r, g, b] = numbers(color).map((c) => (c / 255 <= 0.04045 ? c / 3294.6 : ((c / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const background = (element) => {
    const color = getComputedStyle(element).backgroundColor;
    return numbers(color)[3] === 0 && element.parentElement ? background(element.parentElement) : color;
  };
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const text = texts.currentNode.textContent.trim();
    if (!text) continue;
    const element = texts.currentNode.parentElement;
    const [one, other] = [luminance(getComputedStyle(element).color), luminance(background(element))];
    const contrast = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    if (contrast < 4.5) found.push(`"${text}" has a contrast of ${contrast.toFixed(1)}`);
  }
  return found;
}

for (const [size, options] of Object.entries(sizes)) {
  for (const colorScheme of ["light", "dark"]) {
    test(`on a ${size}, ${colorScheme}, every page fits and can be read`, async () => {
      const context = await newBrowser(browser, { ...options, colorScheme, deviceScaleFactor: shots ? 1.5 : 1 });
      const check = async (page, name) => {
        await page.waitForLoadState();
        assert.deepEqual(await page.evaluate(faults), [], name);
        const shot = `${name}-${size}-${colorScheme}`;
        if (shots && wanted.includes(shot)) await page.screenshot({ path: join(shots, `${shot}.png`) });
      };
      const page = await context.newPage();
      await page.goto(`${server.origin}/signup`);
      await check(page, "signup");
      await page.goto(`${server.origin}/login`);
      await check(page, "login");
      await page.getByLabel("User name").fill("a".repeat(32));
      await page.getByLabel("Password").fill("wrong");
      await page.locator("main button").click();
      await page.getByRole("alert").waitFor();
      await check(page, "refused");
      await page.goto(`${server.origin}/nowhere`);
      await check(page, "nowhere");

      const devices = await logIn(context, server, "penelope");
      await check(devices, "devices");
      await devices.locator("summary").click();
      await check(devices, "details");
      await devices.goto(`${server.origin}/password`);
      await check(devices, "password");
      await devices.locator("header button").click();
    });
  }
}
