// The world of a test: `local` as a process, a line between the browser and its API that can fail, a shop on another
// origin, and a Chromium.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const here = (relative) => fileURLToPath(new URL(relative, import.meta.url));
export const MINIFIED = readFileSync(here('../../functions/event-intake/snippet/frontdesk.min.js'), 'utf8');
const DEMO = readFileSync(here('../../infra/local/demo/index.html'), 'utf8');
const LOCAL = process.env.FRONTDESK_LOCAL ?? here('../../target/debug/local');

const SELLERS = 80;

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Looks until `look` answers something true; fails with what it saw last. */
export async function until(what, look, seconds = 20) {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const seen = await look();
    if (seen) return seen;
    if (Date.now() > end) throw new Error(`not within ${seconds} s: ${what}`);
    await sleep(50);
  }
}

const freePort = () => new Promise((resolve, reject) => {
  const server = net.createServer().on('error', reject).listen(0, '127.0.0.1', () => {
    const { port } = server.address();
    server.close(() => resolve(port));
  });
});

const listening = (server) => new Promise((resolve, reject) => {
  server.on('error', reject).listen(0, '127.0.0.1', () => resolve(`http://127.0.0.1:${server.address().port}`));
});

/** `local`, on its own ports, with its state in a folder: it can be stopped and started again. */
class Local {
  async start(origins) {
    this.folder = mkdtempSync(path.join(tmpdir(), 'frontdesk-browser-'));
    // A port that is free now may be taken in a moment.
    for (let tries = 3; ; tries -= 1) {
      try {
        await this.install(origins);
        return;
      } catch (error) {
        if (tries === 1) throw error;
      }
    }
  }

  async install(origins) {
    [this.port, this.dynamodb, this.sim] = [await freePort(), await freePort(), await freePort()];
    const seller = (id) => [id, {
      name: `Shop ${id}`,
      origins,
      popin: { base_url: `http://127.0.0.1:${this.sim}/api/v1`, api_key: `key-of-${id}-not-a-secret`, token: `token-of-${id}-not-a-secret` },
    }];
    const sellers = Object.fromEntries(Array.from({ length: SELLERS }, (_, at) => seller(`shop-${at}`)));
    this.sellers = path.join(this.folder, 'sellers.json');
    writeFileSync(this.sellers, JSON.stringify(sellers));
    await this.up();
  }

  get api() {
    return `http://127.0.0.1:${this.port}`;
  }

  async up() {
    const ports = ['--port', this.port, '--dynamodb-port', this.dynamodb, '--sim-port', this.sim].map(String);
    const rest = ['--data', path.join(this.folder, 'data'), '--sellers', this.sellers];
    this.process = spawn(LOCAL, [...ports, ...rest], { stdio: ['ignore', 'pipe', 'inherit'] });
    this.ended = new Promise((resolve) => this.process.on('exit', resolve).on('error', resolve));
    let text = '';
    this.process.stdout.on('data', (chunk) => (text += chunk));
    const died = this.ended.then(() => { throw new Error(`local ended before it was ready:\n${text}`); });
    await Promise.race([died, until('local is ready', () => /^ready http/m.test(text), 60)]);
    died.catch(() => {});
  }

  async down() {
    this.process.kill('SIGTERM');
    await this.ended;
  }

  async stop() {
    await this.down();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** A seller's events, read where no browser goes; the table's pointers to them (by person, in quarantine) are left out. */
  async stored(seller) {
    const answer = await fetch(`http://127.0.0.1:${this.sim}/_local/tables/events`);
    const items = await answer.json();
    return items.filter((item) => item.pk.startsWith(`${seller}#`) && 'vendor' in item);
  }
}

/** What the browser takes for the API: it hands everything to `local`, writes it down, and fails when told to. */
class Line {
  requests = [];
  /** (seller) -> 'refuse', 'hang', 'lose_answer', or {status, headers} instead of an answer. */
  faults = new Map();

  async start(local) {
    this.local = local;
    this.server = http.createServer((request, response) => this.take(request, response).catch(() => response.destroy()));
    this.url = await listening(this.server);
  }

  async take(request, response) {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    const seller = request.url.split('/')[3] ?? '';
    const { method, url, headers } = request;
    const seen = { method, url, headers, seller, bytes: body.length, text: body.toString() };
    this.requests.push(seen);
    const fault = this.faults.get(seller);
    if (fault === 'refuse') return response.destroy();
    if (fault === 'hang') return undefined;
    if (fault?.status) {
      const shared = { 'access-control-allow-origin': headers.origin ?? '*', 'access-control-expose-headers': 'retry-after' };
      return response.writeHead(fault.status, { ...shared, ...fault.headers }).end('{}');
    }
    const snippet = url.startsWith('/v1/frontdesk.js');
    const passed = Object.fromEntries(Object.entries(headers).filter(([name]) => !['host', 'connection'].includes(name)));
    const asked = fetch(this.local.api + url, { method, headers: passed, body: method === 'POST' ? body : undefined });
    // The script is cached in the browser or near it: it is there when the API is not. (A test asks `local` for it.)
    const answer = await (snippet ? asked.catch(() => new Response('', { status: 503 })) : asked);
    const text = await answer.text();
    seen.status = answer.status;
    seen.answer = text;
    if (fault === 'lose_answer') return response.destroy();
    if (snippet && answer.status !== 200) {
      return response.writeHead(200, { 'content-type': 'text/javascript; charset=utf-8' }).end(MINIFIED);
    }
    const kept = [...answer.headers].filter(([name]) => !['content-length', 'transfer-encoding', 'connection'].includes(name));
    return response.writeHead(answer.status, Object.fromEntries(kept)).end(text);
  }

  of(seller) {
    return this.requests.filter((request) => request.seller === seller && request.url.startsWith('/v1/collect/'));
  }
}

/** A web server of pages: the demo page, and whatever a test puts there. */
class Site {
  pages = new Map();

  async start(world) {
    this.world = world;
    this.server = http.createServer((request, response) => this.take(request, response).catch(() => response.destroy()));
    this.url = await listening(this.server);
    return this;
  }

  async take(request, response) {
    const { pathname, searchParams } = new URL(request.url, this.url);
    const seller = searchParams.get('seller') ?? '';
    const { line, local } = this.world;
    if (pathname === '/demo/events') {
      const asking = new URL(request.headers.referer).searchParams.get('seller');
      const events = await local.stored(asking).catch(() => []);
      return response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(events));
    }
    const page = this.pages.get(seller + pathname) ?? this.pages.get(pathname);
    if (!page && pathname !== '/') return response.writeHead(404).end();
    const html = (page?.html ?? DEMO).replaceAll('{{API}}', line.url).replaceAll('{{SELLER}}', seller);
    return response.writeHead(200, { 'content-type': 'text/html; charset=utf-8', ...page?.headers }).end(html);
  }
}

export class World {
  local = new Local();
  line = new Line();
  shop = new Site();
  /** A site that is no seller's. */
  stranger = new Site();
  next = 1;

  async start() {
    await Promise.all([this.shop.start(this), this.stranger.start(this)]);
    await this.local.start([this.shop.url]);
    await this.line.start(this.local);
    this.browser = await chromium.launch({
      executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
      headless: true,
      args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
        '--disable-component-update', '--disable-sync'],
    });
    return this;
  }

  async stop() {
    await this.browser?.close();
    for (const { server } of [this.line, this.shop, this.stranger]) {
      server?.close();
      server?.closeAllConnections();
    }
    if (this.local.process) await this.local.stop();
  }

  /** A visitor of a shop that nobody used before. */
  async visitor(prepare) {
    const seller = `shop-${this.next++}`;
    if (this.next > SELLERS) throw new Error('more tests than sellers: raise SELLERS');
    const context = await this.browser.newContext();
    if (prepare) await context.addInitScript(prepare);
    return new Visitor(this, seller, context);
  }
}

/** One browser profile at one shop: what its pages said, and whether anything went wrong in them. */
class Visitor {
  errors = [];
  said = [];

  constructor(world, seller, context) {
    Object.assign(this, { world, seller, context });
    context.on('weberror', (error) => this.errors.push(String(error.error())));
  }

  async open(pathname = '/', { site = this.world.shop, ready = true } = {}) {
    const page = await this.context.newPage();
    await page.goto(`${site.url}${pathname}${pathname.includes('?') ? '&' : '?'}seller=${this.seller}`);
    if (ready) await this.ready(page);
    return page;
  }

  /** The snippet has started. */
  ready(page) {
    return page.waitForFunction(() => window[Symbol.for('frontdesk')] === true);
  }

  /** A page of this visitor's shop, with the snippet and nothing else but `head` before and `body` after it. */
  page(pathname, { head = '', body = '', headers = {}, tag } = {}) {
    const script = tag ?? '<script async src="{{API}}/v1/frontdesk.js" data-seller="{{SELLER}}"></script>';
    const html = `<!doctype html><html lang="en"><head><title>t</title><link rel="icon" href="data:,">${head}${script}</head><body>${body}</body></html>`;
    this.world.shop.pages.set(this.seller + pathname, { html, headers });
    return pathname;
  }

  /** Clicks a button of the demo page and writes down, in the same turn of the page, what its widget said. */
  async click(page, vendor, ...names) {
    const said = await page.evaluate(([vendor, names]) => {
      const from = window.said.length;
      for (const name of names) document.querySelector(`[data-vendor="${vendor}"] [data-name="${name}"]`).click();
      return window.said.slice(from);
    }, [vendor, names]);
    this.said.push(...said);
  }

  /** Says something to `popinEvent` as Popin's widget would, in a page of the test's own. */
  async popin(page, name, data) {
    this.said.push({ vendor: 'popin', name, data: data ?? null });
    return page.evaluate(([name, data]) => window.popinEvent(name, data), [name, data]);
  }

  stored() {
    return this.world.local.stored(this.seller);
  }

  fault(fault) {
    if (fault) this.world.line.faults.set(this.seller, fault);
    else this.world.line.faults.delete(this.seller);
  }

  get requests() {
    return this.world.line.of(this.seller);
  }

  /** Keys of events that are not acknowledged yet. */
  kept(page) {
    return page.evaluate(() => Object.keys(localStorage).filter((key) => key.startsWith('frontdesk:')));
  }

  /** In the end all that was said is stored, once, and nothing else; and nothing is left behind in the browser. */
  async allStored({ page, seconds = 30 } = {}) {
    const expected = tally(distinct(this.said).map(line));
    let seen;
    const same = async () => {
      seen = tally((await this.stored()).map((item) => line({ ...item, data: JSON.parse(item.data) })));
      return JSON.stringify(seen) === JSON.stringify(expected);
    };
    await until('stored is what was said', same, seconds).catch((error) => {
      if (!seen) throw error;
      const count = (tally, key) => tally.find(([name]) => name === key)?.[1] ?? 0;
      const keys = [...new Set([...expected, ...seen].map(([key]) => key))];
      const wrong = keys.filter((key) => count(expected, key) !== count(seen, key));
      throw new Error(`stored is not what was said:\n${wrong.slice(0, 10).map((key) => `  said ${count(expected, key)}, stored ${count(seen, key)}: ${key.slice(0, 200)}`).join('\n')}`);
    });
    if (page) await until('nothing is kept any more', async () => (await this.kept(page)).length === 0, seconds);
    // What comes late must not be stored twice.
    await sleep(300);
    if (!(await same())) throw new Error('something was stored after all that was said');
    return this.stored();
  }

  async end() {
    this.fault();
    const cookies = await this.context.cookies();
    await this.context.close();
    if (this.errors.length) throw new Error(`the page had exceptions: ${this.errors.join('; ')}`);
    if (cookies.length) throw new Error(`cookies were set: ${cookies.map((cookie) => cookie.name).join(', ')}`);
  }
}

const canonical = (value) => {
  if (Array.isArray(value)) return value.map(canonical);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.keys(value).sort().map((key) => [key, canonical(value[key])]));
};

const line = ({ vendor, name, data }) => `${vendor} ${name} ${JSON.stringify(canonical(data ?? null))}`;

const tally = (lines) => {
  const counts = new Map();
  for (const each of lines) counts.set(each, (counts.get(each) ?? 0) + 1);
  return [...counts].sort(([a], [b]) => (a < b ? -1 : 1));
};

/** A call's event, and a meeting's confirmation with its slot, are one however often they are said. */
function distinct(said) {
  const known = new Set();
  return said.filter((event) => {
    const call = event.vendor === 'fullview' && event.data?.callId;
    const meeting = event.name === 'booking-confirmed' && event.data?.args?.eventId;
    if (!call && !meeting) return true;
    const key = line(event);
    return !known.has(key) && known.add(key);
  });
}
