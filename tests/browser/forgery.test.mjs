// Cookies and forms that are not ours: refused, with the server none the worse.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { once } from "node:events";
import { after, before, test } from "node:test";
import {
  AuthServer, certificate, cookie, isLoggedIn, launch, logIn, newBrowser, newName, password, signUp,
} from "./support.mjs";

let server, browser;
before(async () => {
  [server, browser] = await Promise.all([AuthServer.start("--memory"), launch()]);
});
after(async () => {
  await browser?.close();
  assert.equal(await server?.stop(), 0, "the auth server ends cleanly");
});

function changed(value, at) {
  return value.slice(0, at) + (value[at] === "A" ? "B" : "A") + value.slice(at + 1);
}

test("a changed cookie throws its bearer out, wherever it was changed", async () => {
  const context = await newBrowser(browser);
  const page = await signUp(context, server, newName());
  const cookies = await context.cookies();
  const { value } = cookies.find((each) => each.name === "obol_access");
  for (const at of [0, Math.floor(value.length / 2), value.length - 2]) {
    await context.clearCookies();
    await context.addCookies(cookies.map((each) =>
      each.name === "obol_access" || each.name === "obol_refresh" ? { ...each, value: changed(each.value, at) } : each));
    await page.goto(`${server.origin}/devices`);
    await page.getByText("Your session has ended.").waitFor();
    assert.equal(await cookie(context, "obol_access"), undefined);
  }
  await context.clearCookies();
  await context.addCookies(cookies);
  assert.ok(await isLoggedIn(page, server), "the session itself is untouched");
});

test("a refresh token is no access token, nor the other way round", async () => {
  const context = await newBrowser(browser);
  await signUp(context, server, newName());
  const [access, refresh] = [await cookie(context, "obol_access"), await cookie(context, "obol_refresh")];
  for (const header of [`obol_access=${refresh.value}`, `obol_refresh=${access.value}`,
    `obol_access=${access.value}; obol_access=${access.value}`]) {
    const answer = await fetch(`${server.origin}/devices`, { headers: { cookie: header }, redirect: "manual" });
    assert.equal(answer.status, 303, header);
  }
});

test("any bytes for a cookie are answered with the login", async () => {
  for (const value of ["", "=", ";;;=;", "A".repeat(4000), "\xff\xfe", "obol_access", '"quoted"']) {
    const answer = await fetch(`${server.origin}/devices`,
      { headers: { cookie: `obol_access=${value}; obol_refresh=${value}` }, redirect: "manual" });
    assert.equal(answer.status, 303, JSON.stringify(value));
  }
});

async function post(path, { headers = {}, ...fields }) {
  return fetch(`${server.origin}${path}`, {
    method: "POST", redirect: "manual", body: new URLSearchParams(fields),
    headers: { origin: server.origin, ...headers },
  });
}

test("a form without the session's token, or from elsewhere, does nothing", async () => {
  const context = await newBrowser(browser);
  const page = await signUp(context, server, newName());
  const other = await signUp(await newBrowser(browser), server, newName());
  const header = { cookie: (await context.cookies()).map(({ name, value }) => `${name}=${value}`).join("; ") };
  const token = await page.locator("header input[name=form_token]").inputValue();
  const foreign = await other.locator("header input[name=form_token]").inputValue();
  const attempts = [
    { headers: header },
    { headers: header, form_token: "" },
    { headers: header, form_token: "A".repeat(59) },
    { headers: header, form_token: foreign },
    { headers: { ...header, origin: "http://evil.test" }, form_token: token },
    { headers: { ...header, origin: "null" }, form_token: token },
    { headers: { ...header, "sec-fetch-site": "cross-site" }, form_token: token },
  ];
  for (const attempt of attempts) assert.equal((await post("/logout", attempt)).status, 403);
  assert.equal((await post("/logout?form_token=" + token, { headers: header })).status, 400);
  assert.ok(await isLoggedIn(page, server));
  assert.equal((await post("/logout", { headers: header, form_token: token })).status, 303);
  assert.equal(await isLoggedIn(page, server), false);
});

test("a login form needs the token that this browser was sent, so nobody is logged in as somebody else", async () => {
  const name = newName();
  await signUp(await newBrowser(browser), server, name);
  assert.equal((await post("/login", { name, password })).status, 403);
});

test("another site's page cannot make a browser post our forms", async (story) => {
  const context = await newBrowser(browser);
  const page = await signUp(context, server, newName());
  const token = await page.locator("header input[name=form_token]").inputValue();
  const evil = createServer((_, answer) => answer.setHeader("content-type", "text/html").end(
    `<form method="post" action="${server.origin}/logout"><input name="form_token" value="${token}"><button>Win</button></form>`));
  evil.listen(0, "localhost").unref();
  story.after(() => evil.close());
  await once(evil, "listening");
  await page.goto(`http://localhost:${evil.address().port}/`);
  await page.getByRole("button").click();
  await page.getByText("Not from here").waitFor();
  assert.ok(await isLoggedIn(page, server));
});

test("passwords cannot be tried without end, while the owner's browser still gets in", async () => {
  const name = newName();
  const owner = await newBrowser(browser);
  const page = await signUp(owner, server, name);
  await page.locator("header button").click();
  const attacker = await (await newBrowser(browser)).newPage();
  await attacker.goto(`${server.origin}/login`);
  const problems = [];
  for (let i = 0; i < 6; ++i) {
    await attacker.getByLabel("User name").fill(name);
    await attacker.getByLabel("Password").fill(`wrong password ${i}`);
    await attacker.locator("main button").click();
    problems.push(await attacker.getByRole("alert").textContent());
  }
  assert.deepEqual([...new Set(problems.slice(0, 5))], ["User name or password is wrong."]);
  assert.match(problems[5], /^Too many attempts/);
  await logIn(owner, server, name);
});

test("over TLS each cookie is Secure and bound to its host, and no script can read it", async () => {
  const secure = await AuthServer.start("--memory", ...certificate());
  const context = await newBrowser(browser, { ignoreHTTPSErrors: true });
  const page = await signUp(context, secure, newName());
  const cookies = await context.cookies();
  assert.deepEqual(cookies.map((each) => each.name).sort(),
    ["__Host-obol_access", "__Host-obol_device", "__Host-obol_form", "__Host-obol_refresh"]);
  for (const each of cookies) {
    assert.deepEqual([each.secure, each.httpOnly, each.sameSite, each.path], [true, true, "Lax", "/"], each.name);
  }
  await page.locator("header button").click();
  await page.getByText("You are logged out.").waitFor();
  assert.equal(await secure.stop(), 0);
});

test("every answer forbids scripts of others, frames, sniffing and caching", async () => {
  for (const path of ["/login", "/devices", "/nowhere"]) {
    const { headers } = await fetch(server.origin + path, { redirect: "manual" });
    assert.match(headers.get("content-security-policy"), /default-src 'none'; script-src 'self';.*frame-ancestors 'none'/);
    assert.equal(headers.get("x-content-type-options"), "nosniff");
    assert.equal(headers.get("referrer-policy"), "same-origin");
    assert.equal(headers.get("cache-control"), "no-store");
  }
});
