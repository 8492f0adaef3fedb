// Refresh tokens: tabs that refresh at once all go on, with one write; a token that was replaced before is a theft.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { AuthServer, cookie, forgetAccess, isLoggedIn, launch, newBrowser, newName, Redis, signUp } from "./support.mjs";

// Long enough for requests that are sent at once on a busy machine.
const overlap = 20;

let redis, server, browser, tabs, requests, settled;
before(async () => {
  [redis, browser] = await Promise.all([new Redis().start(), launch()]);
  server = await AuthServer.start("--redis", redis.uri, "--overlap", `${overlap}`);
  tabs = await newBrowser(browser);
  requests = await newBrowser(browser);
  await signUp(tabs, server, newName());
  await signUp(requests, server, newName());
  // Only then a refresh begins a new generation of tokens. Other tests run meanwhile.
  settled = pause(overlap * 1000 + 1100);
});
after(async () => {
  await browser?.close();
  await server?.stop();
  await redis?.stop();
});

const writes = (page) => page.locator("#lock-version").textContent();

test("an access token that has expired is replaced without a word", async () => {
  const impatient = await AuthServer.start("--memory", "--access-lifetime", "1", "--overlap", "1", "--drift", "1");
  const context = await newBrowser(browser);
  const page = await signUp(context, impatient, newName());
  const before = await cookie(context, "obol_access");
  await pause(2100);
  assert.ok(await isLoggedIn(page, impatient));
  assert.notEqual((await cookie(context, "obol_access")).value, before.value);
  assert.equal(await writes(page), "2 times");
  await impatient.stop();
});

test("a refresh token that was replaced and is used again ends the session, for thief and owner", async () => {
  const strict = await AuthServer.start("--redis", redis.uri, "--overlap", "1", "--drift", "0");
  const context = await newBrowser(browser);
  const page = await signUp(context, strict, newName());
  const stolen = { cookie: `obol_refresh=${(await cookie(context, "obol_refresh")).value}` };
  await pause(2100);
  await forgetAccess(context);
  assert.ok(await isLoggedIn(page, strict));
  await pause(2100);
  const answer = await fetch(`${strict.origin}/devices`, { headers: stolen, redirect: "manual" });
  assert.equal(answer.status, 303);
  assert.equal(answer.headers.get("location"), "/login?notice=ended");
  assert.equal(await isLoggedIn(page, strict), false);
  while (!/a replaced refresh token of session \w+ was used again/.test(strict.child.log)) await pause(10);
  await strict.stop();
});

test("two tabs refresh at once: both stay logged in, with one write", async () => {
  await settled;
  const [first, second] = [tabs.pages()[0], await tabs.newPage()];
  const before = await cookie(tabs, "obol_refresh");
  await forgetAccess(tabs);
  const stayed = await Promise.all([isLoggedIn(first, server), isLoggedIn(second, server)]);
  assert.deepEqual(stayed, [true, true]);
  assert.notEqual((await cookie(tabs, "obol_refresh")).value, before.value);
  assert.deepEqual(await Promise.all([isLoggedIn(first, server), isLoggedIn(second, server)]), [true, true]);
  assert.equal(await writes(first), "2 times");
  assert.equal(await writes(second), "2 times");
});

test("of many requests with one refresh token one writes, and all are given good tokens", async () => {
  await settled;
  const refresh = (value) => fetch(`${server.origin}/devices`,
    { headers: { cookie: `obol_refresh=${value}` }, redirect: "manual" });
  const { value } = await cookie(requests, "obol_refresh");
  const answers = await Promise.all(Array.from({ length: 8 }, () => refresh(value)));
  assert.deepEqual(answers.map((answer) => answer.status), Array(8).fill(200));
  const given = answers.map((answer) => /obol_refresh=([^;]+)/.exec(answer.headers.get("set-cookie"))[1]);
  const again = await Promise.all(given.map(refresh));
  assert.deepEqual(again.map((answer) => answer.status), Array(8).fill(200));
  const page = requests.pages()[0];
  assert.ok(await isLoggedIn(page, server));
  assert.equal(await writes(page), "2 times");
});
