// What the snippet promises, in a real Chromium against a real `local`: node tests.js [words of a test's name].
import { createHash } from 'node:crypto';
import { MINIFIED, World, sleep, until } from './harness.js';

const tests = [];
const test = (name, run) => tests.push({ name, run });
/** A test that no other may run beside. */
const testAlone = (name, run) => tests.push({ name, run, alone: true });

const assert = (truth, otherwise) => {
  if (!truth) throw new Error(otherwise);
};
const equal = (seen, wanted, what) => {
  const [left, right] = [JSON.stringify(seen), JSON.stringify(wanted)];
  assert(left === right, `${what}: ${left} instead of ${right}`);
};

const POPIN = ['nudge_show', 'popin_open', 'popin_captured', 'popin_navigated', 'popin_call_end', 'popin_close'];

// ---- Everything that the widgets say --------------------------------------------------------------------------------

test('every button of the demo page is stored once, whole, as a claim, and nothing else is sent', async (visitor) => {
  const asked = new Set();
  visitor.context.on('request', (request) => asked.add(request.url().replace(/\?.*/, '')));
  const page = await visitor.open();
  const buttons = await page.$$eval('[data-vendor] [data-name]', (all) =>
    all.map((button) => [button.closest('[data-vendor]').dataset.vendor, button.dataset.name]));
  const count = (vendor) => buttons.filter(([of]) => of === vendor).length;
  equal([count('popin'), count('chili-piper'), count('fullview')], [15, 20, 8], 'buttons');
  for (const [vendor, name] of buttons) await page.click(`[data-vendor="${vendor}"] [data-name="${name}"]`);
  visitor.said = await page.evaluate(() => window.said);
  equal(visitor.said.length, 41, 'events said, without the chatter');

  const stored = await visitor.allStored({ page });
  for (const item of stored) {
    equal(item.trust, 'claimed', `trust of ${item.name}`);
    assert(item.kind !== 'unknown', `${item.name} is of kind unknown`);
    equal(item.page, `${visitor.world.shop.url}/`, 'the page, without its query');
    const late = Math.abs(Date.parse(item.received_at) - Date.parse(item.time));
    assert(late < 60_000, `the time of ${item.name} is ${item.time}`);
  }

  for (const { method, headers, text } of visitor.requests) {
    equal(method, 'POST', 'no pre-flight');
    equal(headers['content-type'], 'text/plain', 'content-type');
    assert(!headers.cookie, 'a cookie was sent');
    const body = JSON.parse(text);
    equal(Object.keys(body), ['sent_at', 'events'], 'fields of a batch');
    for (const event of body.events) {
      equal(Object.keys(event), ['id', 'source', 'name', 'data', 'at', 'page'], 'fields of an event');
      equal(event.page, `${visitor.world.shop.url}/`, 'the page, as it is sent');
      assert(!event.name.includes('listening-form'), 'chatter was sent');
    }
  }
  const { line, shop } = visitor.world;
  equal([...asked].sort(), [`${shop.url}/`, `${shop.url}/demo/events`, `${line.url}/v1/frontdesk.js`, `${line.url}/v1/collect/${visitor.seller}`].sort(), 'requests of the page');
  await page.waitForFunction(() => document.querySelectorAll('#rows tr').length === 41);
});

test('real messages of a frame of chilipiper.com are stored', async (visitor) => {
  visitor.page('/chili', { body: '<iframe title="calendar" src="https://acme.na.chilipiper.com/book"></iframe>' });
  const messages = [{ action: 'availability-loaded' }, { action: 'REDIRECT', url: 'https://x.example/' }, { action: 'error', args: 'bare' }];
  await visitor.context.route('https://acme.na.chilipiper.com/**', (route) => route.fulfill({
    contentType: 'text/html',
    body: `<script>addEventListener('message', () => { for (const m of ${JSON.stringify(messages)}) parent.postMessage(m, '*') })</script>`,
  }));
  const page = await visitor.open('/chili');
  await until('the frame is there', () => page.frames().length > 1);
  await page.frames()[1].waitForLoadState();
  await page.evaluate(() => frames[0].postMessage('go', '*'));
  visitor.said = messages.map((data) => ({ vendor: 'chili-piper', name: data.action, data }));
  await visitor.allStored({ page });
});

// ---- Pages that end -------------------------------------------------------------------------------------------------

test('pages that are reloaded and closed mid-way lose nothing', async (visitor) => {
  for (let round = 0; round < 6; round += 1) {
    const page = await visitor.open();
    await visitor.click(page, 'popin', ...POPIN);
    if (round % 2) await sleep(400 * round);
    await visitor.click(page, 'chili-piper', 'booked', 'booking-confirmed');
    await page.reload();
    await visitor.ready(page);
    await visitor.click(page, 'popin', 'popin_rating_done');
    await page.close();
  }
  await visitor.allStored();
});

test('the last words of a closed tab arrive without another page view', async (visitor) => {
  const page = await visitor.open();
  await visitor.click(page, 'popin', ...POPIN);
  await page.close({ runBeforeUnload: true });
  await visitor.allStored({ seconds: 5 });
});

test('a tab that is left for another site sends its last words', async (visitor) => {
  const page = await visitor.open();
  await visitor.click(page, 'popin', ...POPIN);
  await page.goto('about:blank');
  await visitor.allStored({ seconds: 5 });
});

test('what a crashed tab had not sent comes with the next page view', async (visitor) => {
  visitor.fault('refuse');
  const page = await visitor.open();
  await visitor.click(page, 'popin', ...POPIN);
  await page.goto('chrome://crash').catch(() => {});
  equal(await visitor.stored(), [], 'nothing arrived');
  visitor.fault();
  const next = await visitor.open();
  await visitor.allStored({ page: next });
});

test('last words are sent so that they outlive the page, and once', async (visitor) => {
  await visitor.context.addInitScript(() => {
    const { fetch } = window;
    window.asked = [];
    window.fetch = (url, init) => { window.asked.push([init.keepalive, init.credentials, init.mode]); return fetch(url, init); };
  });
  const page = await visitor.open(visitor.page('/last'));
  await visitor.popin(page, 'popin_open', { uid: 'u' });
  const asked = await page.evaluate(() => {
    window.dispatchEvent(new PageTransitionEvent('pagehide'));
    window.dispatchEvent(new PageTransitionEvent('pagehide'));
    return window.asked;
  });
  equal(asked, [[true, 'omit', 'cors']], 'the fetch');
  await visitor.allStored({ page });
});

test('last words pass a page whose Referrer-Policy hides its origin', async (visitor) => {
  const page = await visitor.open(visitor.page('/quiet', { headers: { 'referrer-policy': 'no-referrer' } }));
  await visitor.popin(page, 'popin_open', { uid: 'u' });
  await page.close({ runBeforeUnload: true });
  await visitor.allStored({ seconds: 5 });
});

test('a browser without fetch keepalive sends its last words by beacon', async (visitor) => {
  visitor.page('/beacon');
  await visitor.context.addInitScript(() => delete Request.prototype.keepalive);
  const page = await visitor.open('/beacon');
  await visitor.popin(page, 'popin_open', { uid: 'u' });
  await page.goto('about:blank');
  await visitor.allStored({ seconds: 5 });
  const next = await visitor.open('/beacon');
  await visitor.allStored({ page: next });
  equal(JSON.parse(visitor.requests.at(-1).answer).duplicate, 1, 'what no answer confirmed is sent again, and known');
});

test('five tabs with one Fullview call store it once, five tabs of support requests five times', async (visitor) => {
  const pages = [];
  for (let tab = 0; tab < 5; tab += 1) pages.push(await visitor.open());
  await Promise.all(pages.map(async (page) => {
    await page.fill('#call-id', 'call-of-five-tabs');
    await visitor.click(page, 'fullview', 'callRequested', 'callAccepted', 'supportRequested', 'callEnded');
  }));
  await Promise.all(pages.map((page) => page.close()));
  const stored = await visitor.allStored({ seconds: 5 });
  // Nobody heard the answers to last words: the next page view sends them again, and nothing new is stored.
  await visitor.allStored({ page: await visitor.open() });
  equal(stored.filter((item) => item.name.endsWith('callRequested')).length, 1, 'callRequested');
  equal(stored.filter((item) => item.name.endsWith('supportRequested')).length, 5, 'supportRequested');
});

test('tabs do not lose what other tabs keep', async (visitor) => {
  visitor.fault('refuse');
  const pages = [];
  for (let tab = 0; tab < 4; tab += 1) pages.push(await visitor.open());
  for (let round = 0; round < 3; round += 1) {
    for (const page of pages) await visitor.click(page, 'popin', ...POPIN);
  }
  await Promise.all(pages.map((page) => page.close()));
  visitor.fault();
  const next = await visitor.open();
  await visitor.allStored({ page: next });
});

// ---- Forgeries ------------------------------------------------------------------------------------------------------

test('messages of other origins and of other shapes are not stored', async (visitor) => {
  const { world } = visitor;
  const forged = { action: 'booking-confirmed', args: { eventId: 'forged' } };
  world.stranger.pages.set('/forger', { html: `<script>parent.postMessage(${JSON.stringify(forged)}, '*'); parent.postMessage('done', '*')</script>` });
  visitor.page('/forged', {
    head: `<script>addEventListener('message', (e) => { if (e.data === 'done') window.done = e.origin })</script>`,
    body: `<iframe title="forger"></iframe>`,
  });
  const page = await visitor.open('/forged');
  await page.evaluate((url) => { document.querySelector('iframe').src = url; }, `${world.stranger.url}/forger`);
  await page.waitForFunction(() => window.done);
  equal(await page.evaluate(() => window.done), world.stranger.url, 'a real message of a real stranger');
  await page.evaluate((forged) => {
    const say = (origin, data) => window.dispatchEvent(new MessageEvent('message', { origin, data }));
    for (const origin of [
      'https://chilipiper.com', 'http://demo.chilipiper.com', 'https://demo.chilipiper.com.evil.example', 'https://evilchilipiper.com',
      'https://demo.chilipiper.com:8443', 'https://demo.chilipiper.co', 'https://evil.example/.chilipiper.com', 'https://.chilipiper.com',
      'https://demo.chilipiper.com\n.evil.example', 'null', '', location.origin,
    ]) say(origin, forged);
    for (const data of [undefined, null, 'booked', 7, [], {}, { action: 7 }, { action: null }, { action: '' }, { action: { toString: () => 'booked' } },
      { Action: 'booked' }, { booked: true }, { action: 'started-listening-form-data-update' }, { action: 'stopped-listening-form-data-update' },
    ]) say('https://demo.chilipiper.com', data);
    window.postMessage(forged, '*');
    window.popinEvent();
    window.popinEvent(undefined, {});
    window.popinEvent({ name: 'popin_open' });
    window.dispatchEvent(new CustomEvent('fullview:somethingElse', { detail: { callId: 'x' } }));
    window.dispatchEvent(new CustomEvent('callRequested', { detail: { callId: 'x' } }));
  }, forged);
  // One real event behind them shows that the snippet listens.
  await visitor.popin(page, 'popin_open', { uid: 'u' });
  await visitor.allStored({ page });
});

test('a page of an origin that is not the seller\'s stores nothing', async (visitor) => {
  const page = await visitor.open('/', { site: visitor.world.stranger });
  await visitor.click(page, 'popin', ...POPIN);
  await until('the API was asked', () => visitor.requests.some(({ status }) => status === 403));
  await page.close();
  visitor.said = [];
  await visitor.allStored();
});

// ---- An API that fails ----------------------------------------------------------------------------------------------

for (const [what, fault] of [
  ['refuses connections', 'refuse'],
  ['answers 503', { status: 503 }],
  ['answers 429', { status: 429 }],
  ['stores, and its answers are lost', 'lose_answer'],
]) {
  test(`an API that ${what} for a while: all is stored once when it is back`, async (visitor) => {
    visitor.fault(fault);
    const page = await visitor.open();
    await visitor.click(page, 'popin', ...POPIN);
    await until('it was tried', () => visitor.requests.length > 0);
    await visitor.click(page, 'chili-piper', 'booked', 'booking-confirmed', 'rescheduled');
    const other = await visitor.open();
    await visitor.click(other, 'fullview', 'callRequested', 'callDenied');
    await other.close();
    await page.reload();
    await visitor.ready(page);
    await visitor.click(page, 'popin', ...POPIN);
    await sleep(2500);
    assert((await visitor.kept(page)).length > 0, 'nothing is kept while the API is down');
    visitor.fault();
    await visitor.allStored({ page });
  });
}

testAlone('local stopped and started again with its data: all is stored once', async (visitor) => {
  const page = await visitor.open();
  await visitor.click(page, 'popin', ...POPIN);
  await until('some are stored', async () => (await visitor.stored()).length > 0);
  await visitor.world.local.down();
  try {
    await visitor.click(page, 'chili-piper', 'booked', 'booking-confirmed');
    await page.reload();
    await visitor.ready(page);
    await visitor.click(page, 'fullview', 'callRequested', 'callAccepted');
    await sleep(1500);
  } finally {
    await visitor.world.local.up();
  }
  await visitor.click(page, 'popin', 'popin_close');
  await visitor.allStored({ page });
});

test('a browser that was offline sends when it is online', async (visitor) => {
  const page = await visitor.open();
  await visitor.context.setOffline(true);
  await visitor.click(page, 'popin', ...POPIN);
  await sleep(5000);
  await visitor.context.setOffline(false);
  await visitor.allStored({ page, seconds: 3 });
});

testAlone('retries back off, and a Retry-After is obeyed', async (visitor) => {
  visitor.fault({ status: 503 });
  const page = await visitor.open();
  await visitor.click(page, 'popin', ...POPIN);
  await sleep(6000);
  const tries = visitor.requests.length;
  assert(tries >= 2 && tries <= 4, `${tries} tries in 6 s`);
  visitor.fault({ status: 429, headers: { 'retry-after': '7' } });
  await until('it was told to wait', () => visitor.requests.length > tries);
  const told = visitor.requests.length;
  visitor.fault();
  await sleep(5500);
  equal(visitor.requests.length, told, 'requests within Retry-After');
  await visitor.allStored({ page });
});

for (const status of [400, 413, 415, 422]) {
  test(`an API that never takes it (${status}) is not asked again, and nothing is kept`, async (visitor) => {
    visitor.fault({ status });
    const page = await visitor.open();
    await visitor.click(page, 'popin', 'popin_open');
    await until('it was asked', () => visitor.requests.length === 1);
    await until('nothing is kept', async () => (await visitor.kept(page)).length === 0);
    await sleep(4000);
    equal(visitor.requests.length, 1, 'requests');
  });
}

for (const status of [401, 403, 404]) {
  test(`an API that says no by mistake (${status}) is asked again by the next page view, and all is stored`, async (visitor) => {
    visitor.fault({ status });
    const page = await visitor.open();
    await visitor.click(page, 'popin', 'popin_open', 'popin_close');
    await until('it was asked', () => visitor.requests.length > 0);
    await sleep(4000);
    equal(visitor.requests.length, 1, 'requests');
    equal((await visitor.kept(page)).length, 2, 'kept');
    visitor.fault();
    await page.reload();
    await visitor.ready(page);
    await visitor.allStored({ page });
  });
}

test('an API that never answers does not hold up the next page view', async (visitor) => {
  visitor.fault('hang');
  const page = await visitor.open();
  await visitor.click(page, 'popin', ...POPIN);
  await until('it was asked', () => visitor.requests.length === 1);
  visitor.fault();
  await page.reload();
  await visitor.ready(page);
  await visitor.allStored({ page });
});

testAlone('one event that always fails does not hold up the others', async (visitor) => {
  const page = await visitor.open(visitor.page('/held-up'));
  const { line } = visitor.world;
  const take = line.take;
  line.take = async function (request, response) {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const text = Buffer.concat(chunks).toString();
    if (request.method === 'POST' && text.includes('poison')) {
      line.requests.push({ url: request.url, seller: visitor.seller, poisoned: true });
      return response.writeHead(500, { 'access-control-allow-origin': request.headers.origin }).end();
    }
    const again = Object.assign(chunks, { method: request.method, url: request.url, headers: request.headers });
    return take.call(line, again, response);
  };
  try {
    await page.evaluate(() => window.popinEvent('popin_open', { uid: 'poison' }));
    for (let at = 0; at < 8; at += 1) await visitor.popin(page, 'popin_navigated', { uid: 'u', screen: `SCREEN_${at}` });
    await visitor.allStored({ seconds: 90 });
    await until('only the one is kept', async () => (await visitor.kept(page)).length === 1);
  } finally {
    line.take = take;
  }
});

// ---- Much -----------------------------------------------------------------------------------------------------------

test('a flood is split below 60 KiB and 100 events, and all of it is stored', async (visitor) => {
  const page = await visitor.open(visitor.page('/flood'));
  const many = Array.from({ length: 500 }, (_, at) => ({ uid: 'u', at, text: 'é'.repeat(at % 4 ? 20 : 1500) }));
  visitor.said = many.map((data) => ({ vendor: 'popin', name: 'popin_navigated', data }));
  await page.evaluate((many) => { for (const data of many) window.popinEvent('popin_navigated', data); }, many);
  await visitor.allStored({ page });
  for (const { bytes, text } of visitor.requests) {
    assert(bytes < 60 * 1024, `a body of ${bytes} bytes`);
    assert(JSON.parse(text).events.length <= 100, 'more than 100 events in a body');
  }
  assert(visitor.requests.length <= 30, `${visitor.requests.length} requests`);
});

test('an event over 10 KiB is dropped and one just below it is stored', async (visitor) => {
  const page = await visitor.open(visitor.page('/large'));
  const overhead = 'x'.repeat(10 * 1024 - 600);
  await visitor.popin(page, 'popin_open', { uid: 'u', text: overhead });
  await page.evaluate(() => window.popinEvent('popin_open', { uid: 'u', text: 'x'.repeat(10 * 1024) }));
  await page.evaluate(() => window.popinEvent('popin_open', { uid: 'u', text: 'é'.repeat(17 * 1024) }));
  await visitor.popin(page, 'popin_close', { uid: 'u' });
  await visitor.allStored({ page });
  assert(visitor.requests.every(({ answer }) => JSON.parse(answer).rejected.length === 0), 'something was sent to be rejected');
});

test('what is kept is bounded: the newest 200 events, 100 KB, 7 days, nothing spoilt', async (visitor) => {
  visitor.fault('refuse');
  const page = await visitor.open(visitor.page('/bounded'));
  const keys = await page.evaluate((seller) => {
    const day = 24 * 3600 * 1000;
    const put = (age, value) => localStorage.setItem(`frontdesk:${seller}:${Date.now() - age}:${crypto.randomUUID()}`, value);
    put(8 * day, '{"id":"00000000-0000-4000-8000-000000000000","source":"popin","name":"old"}');
    put(day, '{"id":"00000000');
    put(day, 'null');
    localStorage.setItem('cart', 'the page\'s own');
    for (let at = 0; at < 250; at += 1) window.popinEvent('popin_navigated', { uid: 'u', at });
    return Object.keys(localStorage).filter((key) => key.startsWith('frontdesk:'));
  }, visitor.seller);
  equal(keys.length, 200, 'kept');
  const chars = await page.evaluate(() => {
    for (let at = 0; at < 100; at += 1) window.popinEvent('popin_navigated', { uid: 'u', text: 'x'.repeat(3000) });
    return Object.keys(localStorage).reduce((sum, key) => sum + localStorage.getItem(key).length, 0);
  });
  assert(chars <= 100 * 1024 + 20, `${chars} characters kept`);
  await page.close();
  const next = await visitor.open('/bounded');
  equal(await next.evaluate(() => localStorage.getItem('cart')), 'the page\'s own', 'the page\'s own entry');
  visitor.fault();
  await until('all kept is sent', async () => (await visitor.kept(next)).length === 0, 30);
  assert((await visitor.stored()).every(({ name }) => name === 'popin_navigated'), 'something old or spoilt was sent');
});

// ---- The page's own popinEvent --------------------------------------------------------------------------------------

/** Calls as the widget does, and tells what the page heard and what came back. */
const ask = (page, name, data) => page.evaluate(([name, data]) => {
  window.heard = [];
  let answer;
  try {
    answer = ['returned', window.popinEvent(name, data)];
  } catch (error) {
    answer = ['threw', error.message];
  }
  return [window.heard, answer];
}, [name, data]);

const HEAR = (mark) => `(event, data) => { window.heard.push('${mark} ' + event + ' ' + data.uid); return '${mark}'; }`;

for (const [what, head] of [
  ['assigned', `<script>window.popinEvent = ${HEAR('own')}</script>`],
  ['declared as a function', `<script>function popinEvent(e, d) { return (${HEAR('own')})(e, d) }</script>`],
  ['declared by var', `<script>var popinEvent = ${HEAR('own')}</script>`],
  ['behind an accessor', `<script>{ let inner = ${HEAR('own')}; Object.defineProperty(window, 'popinEvent', { get: () => inner, set: (f) => { inner = f }, configurable: true }) }</script>`],
]) {
  test(`a popinEvent that was ${what} before is called, and so is one set later`, async (visitor) => {
    const page = await visitor.open(visitor.page('/before', { head }));
    visitor.said.push({ vendor: 'popin', name: 'popin_open', data: { uid: 'u1' } });
    equal(await ask(page, 'popin_open', { uid: 'u1' }), [['own popin_open u1'], ['returned', 'own']], 'before');
    await page.evaluate(`window.popinEvent = ${HEAR('later')}`);
    await sleep(600);
    visitor.said.push({ vendor: 'popin', name: 'popin_close', data: { uid: 'u2' } });
    equal(await ask(page, 'popin_close', { uid: 'u2' }), [['later popin_close u2'], ['returned', 'later']], 'later');
    await visitor.allStored({ page });
  });
}

for (const [what, script] of [
  ['assigned', `window.popinEvent = ${HEAR('own')}`],
  ['declared as a function', `function popinEvent(e, d) { return (${HEAR('own')})(e, d) }`],
  ['declared by var', `var popinEvent = ${HEAR('own')}`],
  ['defined as a property', `Object.defineProperty(window, 'popinEvent', { value: ${HEAR('own')}, writable: true, configurable: true })`],
]) {
  test(`a popinEvent that is ${what} later is called, and the events go on`, async (visitor) => {
    const page = await visitor.open(visitor.page('/after'));
    await visitor.popin(page, 'popin_open', { uid: 'u0' });
    await page.addScriptTag({ content: script });
    await sleep(600);
    visitor.said.push({ vendor: 'popin', name: 'popin_close', data: { uid: 'u1' } });
    equal(await ask(page, 'popin_close', { uid: 'u1' }), [['own popin_close u1'], ['returned', 'own']], 'after');
    await visitor.allStored({ page });
  });
}

test('a popinEvent that cannot be touched goes on as it was, and the rest of the snippet works', async (visitor) => {
  const head = `<script>Object.defineProperty(window, 'popinEvent', { value: ${HEAR('own')} })</script>`;
  const page = await visitor.open(visitor.page('/frozen', { head }));
  equal(await ask(page, 'popin_open', { uid: 'u' }), [['own popin_open u'], ['returned', 'own']], 'frozen');
  await page.evaluate(() => window.dispatchEvent(new CustomEvent('fullview:callEnded', { detail: { callId: 'c' } })));
  visitor.said.push({ vendor: 'fullview', name: 'fullview:callEnded', data: { callId: 'c' } });
  await visitor.allStored({ page });
});

test('what the page\'s popinEvent throws is the caller\'s, and the event is stored', async (visitor) => {
  const page = await visitor.open(visitor.page('/throws', { head: '<script>window.popinEvent = () => { throw new Error("the page\'s own") }</script>' }));
  visitor.said.push({ vendor: 'popin', name: 'popin_open', data: { uid: 'u' } });
  equal(await ask(page, 'popin_open', { uid: 'u' }), [[], ['threw', 'the page\'s own']], 'thrown');
  await visitor.allStored({ page });
});

test('pages that chain popinEvent themselves, at once or later, or put it back, store each event once', async (visitor) => {
  const page = await visitor.open(visitor.page('/chain', { head: `<script>window.popinEvent = ${HEAR('first')}</script>` }));
  const said = (name, uid) => visitor.said.push({ vendor: 'popin', name, data: { uid } });
  await page.evaluate(() => {
    const old = window.popinEvent;
    window.popinEvent = (event, data) => { window.heard.push('second'); return old(event, data); };
  });
  said('popin_open', 'u1');
  equal(await ask(page, 'popin_open', { uid: 'u1' }), [['second', 'first popin_open u1'], ['returned', 'first']], 'chained');
  await page.evaluate(() => {
    const old = window.popinEvent;
    window.popinEvent = (event, data) => { setTimeout(() => old(event, data)); };
  });
  said('popin_close', 'u2');
  await ask(page, 'popin_close', { uid: 'u2' });
  await page.waitForFunction(() => window.heard.length === 2);
  await page.evaluate(() => {
    const kept = window.popinEvent;
    window.popinEvent = () => {};
    window.popinEvent = kept;
  });
  said('nudge_show', 'u3');
  await ask(page, 'nudge_show', { uid: 'u3' });
  // A handler that makes the widget say something else at once.
  await page.evaluate(() => {
    window.popinEvent = (event) => { if (event === 'popin_open') window.popinEvent('popin_close', { uid: 'u5' }); };
  });
  said('popin_open', 'u4');
  said('popin_close', 'u5');
  await ask(page, 'popin_open', { uid: 'u4' });
  await visitor.allStored({ page });
});

test('popinEvent passes `this` and all its arguments, and may be set to nothing', async (visitor) => {
  const page = await visitor.open(visitor.page('/this'));
  const seen = await page.evaluate(() => {
    window.popinEvent = function (...given) { return [this === window, given.length]; };
    const seen = window.popinEvent('popin_open', { uid: 'u' }, 3);
    window.popinEvent = null;
    window.popinEvent('popin_close', { uid: 'u' });
    window.popinEvent = undefined;
    return [...seen, typeof window.popinEvent, 'popinEvent' in window];
  });
  equal(seen, [true, 3, 'function', true], 'seen');
  visitor.said = ['popin_open', 'popin_close'].map((name) => ({ vendor: 'popin', name, data: { uid: 'u' } }));
  await visitor.allStored({ page });
});

// ---- Strange pages --------------------------------------------------------------------------------------------------

test('data that JSON cannot take is stored as far as it can be, and the page has no exception', async (visitor) => {
  const page = await visitor.open(visitor.page('/strange', { body: '<p id="p">text</p>' }));
  await page.evaluate(() => {
    const say = (data) => window.popinEvent('popin_navigated', data);
    const cycle = { uid: 'cycle', list: [1] };
    cycle.self = cycle;
    cycle.list.push(cycle.list, { up: cycle });
    say(cycle);
    const node = document.querySelector('#p');
    node.__reactFiber = { stateNode: node };
    say({ uid: 'node', node, window });
    say({ uid: 'getter', ok: 1, get bad() { throw new Error('the getter\'s'); } });
    say({ uid: 'bigint', big: 12n, fine: undefined, act() {}, [Symbol('s')]: 1 });
    say({ uid: 'json', toJSON() { throw new Error('no'); } });
    say(new Proxy({}, { get() { throw new Error('no'); }, ownKeys() { throw new Error('no'); } }));
    say({ uid: 'surrogate', text: '\ud800' });
    let deep = { uid: 'bottom' };
    for (let at = 0; at < 20000; at += 1) deep = { deep };
    say(deep);
    const changed = { uid: 'changed', value: 'before' };
    say(changed);
    changed.value = 'after';
    say();
    say(null);
    say('text');
    window.dispatchEvent(new Event('fullview:callEnded'));
  });
  const wanted = 13;
  await until('all are stored', async () => (await visitor.stored()).length === wanted, 15).catch(async () => {
    throw new Error(`${(await visitor.stored()).length} stored of ${wanted}`);
  });
  const by = Object.fromEntries((await visitor.stored()).map(({ data }) => [JSON.parse(data)?.uid, JSON.parse(data)]));
  equal(by.cycle, { uid: 'cycle', list: [1, null, { up: null }], self: null }, 'a cycle');
  equal(by.node, { uid: 'node', node: null, window: null }, 'a node');
  equal(by.getter, { uid: 'getter', ok: 1, bad: null }, 'a getter that throws');
  equal(by.bigint, { uid: 'bigint', big: '12' }, 'a big integer');
  equal(by.changed, { uid: 'changed', value: 'before' }, 'data that the page changes afterwards');
});

for (const [what, prepare] of [
  ['forbids localStorage', () => Object.defineProperty(window, 'localStorage', { get() { throw new DOMException('no', 'SecurityError'); } })],
  ['has no localStorage', () => Object.defineProperty(window, 'localStorage', { value: null })],
  ['has a full localStorage', () => { Storage.prototype.setItem = () => { throw new DOMException('full', 'QuotaExceededError'); }; }],
  ['has no randomUUID', () => { delete Crypto.prototype.randomUUID; }],
  ['has a fetch that throws at first', () => {
    const { fetch } = window;
    let left = 2;
    window.fetch = (...given) => { if (left-- > 0) throw new Error('the page\'s fetch'); return fetch(...given); };
  }],
  ['has an element called frontdesk', () => addEventListener('DOMContentLoaded', () => { document.body.id = 'frontdesk'; })],
]) {
  test(`a page that ${what}: the events are stored`, async (visitor) => {
    await visitor.context.addInitScript(prepare);
    const page = await visitor.open(visitor.page('/odd'));
    await visitor.popin(page, 'popin_open', { uid: 'u' });
    await visitor.popin(page, 'popin_close', { uid: 'u' });
    await visitor.allStored();
  });
}

test('a strict Content-Security-Policy needs script-src and connect-src of the API and nothing else', async (visitor) => {
  const api = visitor.world.line.url;
  const page = await visitor.open(visitor.page('/csp', { headers: { 'content-security-policy': `default-src 'none'; script-src ${api}; connect-src ${api}` } }));
  const broken = [];
  page.on('console', (message) => message.text().includes('Content Security Policy') && !message.text().includes('data:,') && broken.push(message.text()));
  await visitor.popin(page, 'popin_open', { uid: 'u' });
  await visitor.allStored({ page });
  equal(broken, [], 'refused by the policy');
});

for (const [what, tag] of [
  ['included twice', '<script async src="{{API}}/v1/frontdesk.js" data-seller="{{SELLER}}"></script>'.repeat(2)],
  ['included without async', '<script src="{{API}}/v1/frontdesk.js" data-seller="{{SELLER}}"></script>'],
  ['included by a loader', `<script>{ const s = document.createElement('script'); s.src = '{{API}}/v1/frontdesk.js'; s.dataset.seller = '{{SELLER}}'; document.head.append(s) }</script>`],
  ['run without a currentScript', `<script type="text/plain" src="{{API}}/v1/frontdesk.js" data-seller="{{SELLER}}"></script><script>fetch('{{API}}/v1/frontdesk.js', { mode: 'no-cors' }).catch(() => {})</script>`],
]) {
  test(`a snippet that is ${what} stores each event once`, async (visitor) => {
    visitor.page('/tag', { tag });
    const page = await visitor.open('/tag', { ready: false });
    if (what.startsWith('run')) await page.evaluate(MINIFIED);
    await visitor.ready(page);
    await visitor.popin(page, 'popin_open', { uid: 'u' });
    await page.evaluate((data) => window.dispatchEvent(new MessageEvent('message', { origin: 'https://demo.chilipiper.com', data })), { action: 'close' });
    visitor.said.push({ vendor: 'chili-piper', name: 'close', data: { action: 'close' } });
    await visitor.allStored({ page });
  });
}

test('a tag without a seller, or with a wrong one, does nothing and throws nothing', async (visitor) => {
  for (const attribute of ['', 'data-seller=""', 'data-seller="../x"', 'data-seller="Acme"']) {
    const page = await visitor.open(visitor.page('/nobody', { tag: `<script src="{{API}}/v1/frontdesk.js" ${attribute}></script>` }), { ready: false });
    equal(await page.evaluate(() => [typeof window.popinEvent, window[Symbol.for('frontdesk')]]), ['undefined', null], attribute);
  }
});

// ---- What `local` serves --------------------------------------------------------------------------------------------

test('local serves the snippet: cacheable, with an ETag, to anyone', async (visitor) => {
  const url = `${visitor.world.local.api}/v1/frontdesk.js`;
  const answer = await fetch(url);
  equal(answer.status, 200, 'status');
  equal(await answer.text(), MINIFIED, 'the snippet');
  assert(/^(text|application)\/javascript/.test(answer.headers.get('content-type')), `content-type ${answer.headers.get('content-type')}`);
  assert(/max-age=[1-9]/.test(answer.headers.get('cache-control')), `cache-control ${answer.headers.get('cache-control')}`);
  const etag = answer.headers.get('etag');
  assert(etag, 'no ETag');
  equal((await fetch(url, { headers: { 'if-none-match': etag } })).status, 304, 'status with If-None-Match');
});

test('local serves the demo page at /demo, and it shows what was stored', async (visitor) => {
  const { local } = visitor.world;
  const page = await visitor.context.newPage();
  const answer = await page.goto(`${local.api}/demo`);
  equal(answer.status(), 200, 'status');
  assert(!(await page.content()).includes('{{'), 'a placeholder is left');
  const events = await (await fetch(`${local.api}/demo/events`)).json();
  assert(Array.isArray(events) && events.length > 0, 'the events are no list');
  for (const field of ['kind', 'vendor', 'name', 'trust', 'time', 'received_at', 'data', 'pk', 'sk']) {
    assert(field in events[0], `no ${field} in /demo/events`);
  }
  await page.waitForFunction(() => document.querySelectorAll('#rows tr').length > 0);
});

// ---- Running --------------------------------------------------------------------------------------------------------

/** Most of a test is waiting. Each has a browser profile and a seller of its own. */
const AT_ONCE = 4;
const words = process.argv.slice(2).join(' ');
const chosen = tests.filter(({ name }) => name.includes(words));
let [passed, failed] = [0, 0];
const world = new World();
try {
  await world.start();
  const attempt = async ({ name, run }) => {
    const started = Date.now();
    const visitor = await world.visitor();
    let trouble;
    const limit = new Promise((_, reject) => setTimeout(() => reject(new Error('no end within 120 s')), 120_000).unref());
    await Promise.race([run(visitor), limit]).catch((error) => (trouble = error));
    await visitor.end().catch((error) => (trouble ??= error));
    if (trouble) failed += 1;
    else passed += 1;
    console.log(`${trouble ? 'FAIL' : 'ok  '} ${name} (${((Date.now() - started) / 1000).toFixed(1)} s)`);
    if (trouble) console.log(`     ${trouble.stack}`);
  };
  const together = chosen.filter(({ alone }) => !alone);
  const worker = async () => {
    for (let next = together.shift(); next; next = together.shift()) await attempt(next);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  for (const each of chosen.filter(({ alone }) => alone)) await attempt(each);
} catch (error) {
  failed += 1;
  console.log(`FAIL the world did not start: ${error.stack}`);
} finally {
  await world.stop();
}
console.log(`snippet sha256 ${createHash('sha256').update(MINIFIED).digest('hex').slice(0, 16)}, ${process.version}`);
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed || !passed ? 1 : 0);
