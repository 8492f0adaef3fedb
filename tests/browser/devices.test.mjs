// "Your devices": what is logged out here is out there at once, and what was not stays.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { agents, AuthServer, isLoggedIn, launch, logIn, newBrowser, newName, password, Redis, signUp } from "./support.mjs";

let redis, server, browser;
before(async () => {
  [redis, browser] = await Promise.all([new Redis().start(), launch()]);
  server = await AuthServer.start("--redis", redis.uri);
});
after(async () => {
  await browser?.close();
  assert.equal(await server?.stop(), 0, "the auth server ends cleanly");
  await redis?.stop();
});

async function loggedInOn(name, ...kinds) {
  const devices = [];
  for (const kind of kinds) {
    const context = await newBrowser(browser, { userAgent: agents[kind] });
    devices.push(await (devices.length === 0 ? signUp : logIn)(context, server, name));
  }
  return devices;
}

test("one device logs another out, which shows it without a click", async () => {
  const [desktop, phone, laptop] = await loggedInOn(newName(), "desktop", "phone", "laptop");
  await desktop.reload();
  assert.equal(await desktop.locator(".device").count(), 3);
  await desktop.getByRole("button", { name: "Log out Safari on iPhone" }).click();
  await desktop.getByText("The device is logged out.").waitFor();
  assert.equal(await desktop.locator(".device").count(), 2);

  await phone.getByText("Your session has ended.").waitFor();
  assert.equal(new URL(phone.url()).pathname, "/login");
  assert.deepEqual((await phone.context().cookies()).map((each) => each.name).sort(), ["obol_device", "obol_form"]);
  assert.ok(await isLoggedIn(laptop, server));
});

test("a page that nobody sees learns of a logout when it is shown", async () => {
  const [desktop, phone] = await loggedInOn(newName(), "desktop", "phone");
  const show = (isHidden) => phone.evaluate((value) => {
    Object.defineProperty(document, "hidden", { value, configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
  }, isHidden);
  await show(true);
  const requests = [];
  phone.on("request", (request) => requests.push(request.url()));
  await desktop.reload();
  await desktop.getByRole("button", { name: "Log out all other devices" }).click();
  await desktop.getByText("You are logged in nowhere else.").waitFor();
  await pause(3000);
  assert.deepEqual(requests, []);
  await show(false);
  await phone.getByText("Your session has ended.").waitFor();
});

test("a script is not needed: without one a device is out at its next click", async () => {
  const name = newName();
  const [desktop] = await loggedInOn(name, "desktop");
  const phone = await logIn(await newBrowser(browser, { userAgent: agents.phone, javaScriptEnabled: false }), server, name);
  await desktop.reload();
  await desktop.getByRole("button", { name: "Log out Safari on iPhone" }).click();
  await desktop.getByText("The device is logged out.").waitFor();
  await phone.getByRole("link", { name: "Password" }).click();
  await phone.getByText("Your session has ended.").waitFor();
});

test("a device logs itself out, and its cookies are worth nothing afterwards", async () => {
  const [desktop] = await loggedInOn(newName(), "desktop");
  const cookies = await desktop.context().cookies();
  await desktop.locator("header").getByRole("button", { name: "Log out" }).click();
  await desktop.getByText("You are logged out.").waitFor();
  await desktop.context().addCookies(cookies);
  assert.equal(await isLoggedIn(desktop, server), false);
});

test("all other devices are logged out at once", async () => {
  const [desktop, phone, laptop] = await loggedInOn(newName(), "desktop", "phone", "laptop");
  await laptop.getByRole("button", { name: "Log out all other devices" }).click();
  await laptop.getByText("You are logged in nowhere else.").waitFor();
  assert.equal(await isLoggedIn(desktop, server), false);
  assert.equal(await isLoggedIn(phone, server), false);
  assert.ok(await isLoggedIn(laptop, server));
});

test("a new password logs the other devices out and makes cookies copied before worthless", async () => {
  const [desktop, phone] = await loggedInOn(newName(), "desktop", "phone");
  const stolen = await desktop.context().cookies();
  const other = await desktop.context().newPage();
  await other.goto(`${server.origin}/devices`);
  await desktop.getByRole("link", { name: "Password" }).click();
  await desktop.getByLabel("Current password").fill(password);
  await desktop.getByLabel("New password").fill("another good password");
  await desktop.getByRole("button", { name: "Change password" }).click();
  await desktop.getByText("Your password is changed").waitFor();
  await phone.getByText("Your session has ended.").waitFor();
  await pause(3000);
  assert.equal(new URL(other.url()).pathname, "/devices", "the other tab of this browser goes on, with a new stream");
  assert.ok(await isLoggedIn(desktop, server));

  const thief = await newBrowser(browser);
  await thief.addCookies(stolen);
  assert.equal(await isLoggedIn(await thief.newPage(), server), false);
});

test("nobody sees or ends the sessions of another user", async () => {
  const [[mine], [theirs]] = [await loggedInOn(newName(), "desktop"), await loggedInOn(newName(), "phone")];
  assert.equal(await mine.getByText("Safari on iPhone").count(), 0);
  const handle = await theirs.locator(".device input[name=device]").inputValue();
  await mine.locator(".device input[name=device]").evaluate((input, value) => (input.value = value), handle);
  await mine.locator(".device button").click();
  await mine.waitForURL("**/devices?*");
  assert.ok(await isLoggedIn(theirs, server));
});

test("a device may call itself anything and still runs no script and breaks no page", async () => {
  const name = newName();
  const hostile = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'/";
  const [desktop] = await loggedInOn(name, "desktop");
  const stranger = await logIn(await newBrowser(browser, { userAgent: hostile }), server, name);
  desktop.on("dialog", () => assert.fail("a script ran"));
  await desktop.reload();
  assert.ok((await desktop.locator(".device").nth(1).innerText()).includes("<script>alert(1)<"));
  assert.equal(await desktop.locator("script:not([src^='/live.js?']), img").count(), 0);
  assert.ok(await isLoggedIn(stranger, server));
});
