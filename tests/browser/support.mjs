// Servers and browsers for one test file: started on demand, stopped by process id, nothing left behind.
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";

function setting(name) {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: run scripts/test --browser, or source .deps/environment`);
  return value;
}

const { chromium } = createRequire(`${setting("OBOL_NODE_MODULES")}/`)("playwright-core");
const flags = [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync",
];
const started = new Set();
const folders = new Set();

process.on("exit", () => {
  for (const child of started) child.kill("SIGKILL");
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

export const password = "correct horse battery";

export const agents = {
  desktop: "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
  phone: "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1",
  tablet: "Mozilla/5.0 (Android 15; Tablet; rv:140.0) Gecko/140.0 Firefox/140.0",
  laptop: "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:140.0) Gecko/20100101 Firefox/140.0",
};

export function newFolder() {
  const folder = mkdtempSync(join(tmpdir(), "obol-browser-"));
  folders.add(folder);
  return folder;
}

function start(program, words, options = {}) {
  const child = spawn(program, words, { stdio: ["ignore", "pipe", "pipe"], ...options });
  started.add(child);
  child.once("exit", () => started.delete(child));
  child.log = "";
  child.stderr.on("data", (bytes) => (child.log += bytes));
  return child;
}

async function stop(child, signal = "SIGTERM") {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
  const ended = once(child, "exit");
  child.kill(signal);
  return (await ended)[0];
}

async function answers(path) {
  const socket = connect(path);
  try {
    await once(socket, "connect");
    socket.write("PING\r\n");
    return String((await once(socket, "data"))[0]).startsWith("+PONG");
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

export class Redis {
  constructor({ persistent = false } = {}) {
    this.folder = newFolder();
    this.socket = join(this.folder, "s");
    this.uri = `unix://${this.socket}`;
    this.persistent = persistent;
  }

  async start() {
    this.child = start(setting("OBOL_REDIS_SERVER"), [
      "--port", "0", "--unixsocket", this.socket, "--save", "", "--appendonly", this.persistent ? "yes" : "no",
      "--appendfsync", "always", "--dir", this.folder,
    ]);
    this.child.stdout.resume();
    for (let left = 3000; !(await answers(this.socket)); --left) {
      if (left === 0 || this.child.exitCode !== null) throw new Error(`Redis did not start: ${this.child.log}`);
      await pause(10);
    }
    return this;
  }

  async stop() {
    await stop(this.child);
  }
}

export class AuthServer {
  static async start(...words) {
    const server = new AuthServer();
    server.child = start(setting("OBOL_AUTH_SERVER"), ["--listen", "127.0.0.1:0", ...words], {
      env: { ...process.env, OBOL_SECRET: "browser tests sign with this, and only they" },
    });
    const lines = createInterface({ input: server.child.stdout });
    const first = await Promise.race([once(lines, "line"), once(server.child, "exit").then(() => [""])]);
    server.origin = /https?:\/\/[^/ ]+/.exec(first[0])?.[0];
    if (!server.origin) throw new Error(`the auth server did not start: ${server.child.log}`);
    return server;
  }

  stop() {
    return stop(this.child);
  }
}

/** The certificate is good enough for a browser that is told not to look. */
export function certificate() {
  const folder = newFolder();
  const [key, chain] = [join(folder, "key.pem"), join(folder, "chain.pem")];
  execFileSync("openssl", ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days",
    "1", "-subj", "/CN=localhost", "-keyout", key, "-out", chain], { stdio: "ignore" });
  return ["--certificate", chain, "--key", key];
}

export function launch() {
  const executablePath = process.env.OBOL_CHROMIUM || "/usr/bin/chromium";
  if (!existsSync(executablePath)) throw new Error(`there is no ${executablePath}: run scripts/setup --browser`);
  return chromium.launch({ executablePath, args: flags, timeout: 120_000 });
}

/** A browser of its own, as far as cookies go. */
export async function newBrowser(browser, options = {}) {
  const context = await browser.newContext({ userAgent: agents.desktop, ...options });
  context.setDefaultTimeout(60_000);
  return context;
}

let users = 0;
export function newName(prefix = "user") {
  return `${prefix}${++users}`;
}

async function fill(page, address, name) {
  await page.goto(address);
  await page.getByLabel("User name").fill(name);
  await page.getByLabel("Password").fill(password);
  await page.locator("main button").click();
  await page.waitForURL("**/devices");
  return page;
}

export async function signUp(context, server, name) {
  return fill(await context.newPage(), `${server.origin}/signup`, name);
}

export async function logIn(context, server, name) {
  return fill(await context.newPage(), `${server.origin}/login`, name);
}

export async function cookie(context, name) {
  return (await context.cookies()).find((each) => each.name === name);
}

/** What is left is the refresh token, so the next request exchanges it. */
export function forgetAccess(context) {
  return context.clearCookies({ name: "obol_access" });
}

export async function isLoggedIn(page, server) {
  const go = () => page.goto(`${server.origin}/devices`);
  // The page may be on its way to the login by itself.
  const answer = await go().catch(go);
  return answer.status() === 200 && new URL(page.url()).pathname === "/devices";
}
