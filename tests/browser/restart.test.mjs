// Redis goes away and comes back, with its data or without: nobody sees an error that is not true.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { AuthServer, forgetAccess, isLoggedIn, launch, logIn, newBrowser, newName, Redis, signUp } from "./support.mjs";

let browser;
before(async () => {
  browser = await launch();
});
after(() => browser?.close());

async function withRedis(options, story) {
  const redis = await new Redis(options).start();
  const server = await AuthServer.start("--redis", redis.uri);
  try {
    await story(redis, server);
  } finally {
    await server.stop();
    await redis.stop();
  }
}

test("whoever was logged in still is when Redis comes back with its data", () =>
  withRedis({ persistent: true }, async (redis, server) => {
    const context = await newBrowser(browser);
    const page = await signUp(context, server, newName());
    await redis.stop();
    await redis.start();
    assert.ok(await isLoggedIn(page, server));
    await forgetAccess(context);
    assert.ok(await isLoggedIn(page, server), "and can refresh");
  }));

test("when Redis comes back empty everybody is asked to log in, and can", () =>
  withRedis({}, async (redis, server) => {
    const context = await newBrowser(browser);
    const name = newName();
    const page = await signUp(context, server, name);
    await redis.stop();
    await redis.start();
    await page.getByText("Your session has ended.").waitFor();
    const again = await logIn(context, server, name);
    await forgetAccess(context);
    assert.ok(await isLoggedIn(again, server), "and refresh");
  }));

test("while Redis is away nobody is logged out, and the page says to wait", () =>
  withRedis({ persistent: true }, async (redis, server) => {
    const page = await signUp(await newBrowser(browser), server, newName());
    await redis.stop();
    const answer = await page.goto(`${server.origin}/devices`);
    assert.equal(answer.status(), 503);
    assert.equal(answer.headers()["retry-after"], "5");
    await page.getByText("You are not logged out").waitFor();
    await redis.start();
    // Obol tries to connect again in growing pauses; until it has, the answer stays 503.
    for (let left = 600; (await page.reload()).status() === 503 && left > 0; --left) await pause(50);
    assert.ok(await isLoggedIn(page, server));
  }));
