// Refresh tokens: one rotation however many ask at once, and none is good for a second one later.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { AuthServer, cookie, forgetAccess, isLoggedIn, launch, newBrowser, newName, Redis, signUp } from "./support.mjs";

let redis, server, browser;
before(async () => {
  [redis, browser] = await Promise.all([new Redis().start(), launch()]);
  server = await AuthServer.start("--redis", redis.uri);
});
after(async () => {
  await browser?.close();
  await server?.stop();
  await redis?.stop();
});

const writes = (page) => page.locator("#lock-version").textContent();

test("two tabs refresh at once: both stay logged in, with one rotation", async () => {
  const context = await newBrowser(browser);
  const first = await signUp(context, server, newName());
  const second = await context.newPage();
  const before = await cookie(context, "obol_refresh");
  await forgetAccess(context);
  const stayed = await Promise.all([isLoggedIn(first, server), isLoggedIn(second, server)]);
  assert.deepEqual(stayed, [true, true]);
  assert.notEqual((await cookie(context, "obol_refresh")).value, before.value);
  assert.equal(await writes(first), "2 times");
  assert.equal(await writes(second), "2 times");
  assert.deepEqual(await Promise.all([isLoggedIn(first, server), isLoggedIn(second, server)]), [true, true]);
});

test("of many requests with one refresh token one rotates it, and all are given the same new one", async () => {
  const context = await newBrowser(browser);
  const page = await signUp(context, server, newName());
  const headers = { cookie: `obol_refresh=${(await cookie(context, "obol_refresh")).value}` };
  const answers = await Promise.all(
    Array.from({ length: 8 }, () => fetch(`${server.origin}/devices`, { headers, redirect: "manual" })));
  assert.deepEqual([...new Set(answers.map((answer) => answer.status))], [200]);
  const given = new Set(answers.map((answer) => /obol_refresh=([^;]+)/.exec(answer.headers.get("set-cookie"))[1]));
  assert.equal(given.size, 1);
  await page.goto(`${server.origin}/devices`);
  assert.equal(await writes(page), "2 times");
});

test("an access token that has expired is replaced without a word", async () => {
  const impatient = await AuthServer.start("--memory", "--access-lifetime", "1");
  const context = await newBrowser(browser);
  const page = await signUp(context, impatient, newName());
  const before = await cookie(context, "obol_access");
  await pause(1100);
  assert.ok(await isLoggedIn(page, impatient));
  assert.notEqual((await cookie(context, "obol_access")).value, before.value);
  assert.equal(await writes(page), "2 times");
  await impatient.stop();
});

test("a refresh token used again after the grace time ends the session, for thief and owner", async () => {
  const strict = await AuthServer.start("--redis", redis.uri, "--grace", "1");
  const context = await newBrowser(browser);
  const page = await signUp(context, strict, newName());
  const stolen = { cookie: `obol_refresh=${(await cookie(context, "obol_refresh")).value}` };
  await forgetAccess(context);
  assert.ok(await isLoggedIn(page, strict));
  await pause(2100);
  const answer = await fetch(`${strict.origin}/devices`, { headers: stolen, redirect: "manual" });
  assert.equal(answer.status, 303);
  assert.equal(answer.headers.get("location"), "/login?notice=ended");
  assert.equal(await isLoggedIn(page, strict), false);
  await strict.stop();
});
