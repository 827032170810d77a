// Frontdesk's page snippet: it relays what the call and booking widgets of a shop's page say.
//
//   <script async src="https://API/v1/frontdesk.js" data-seller="acme"></script>
//
// It sends the widgets' events and nothing else, sets no cookie, and is a guest in the page: whatever goes wrong in here
// stays in here. Each event gets its id here, once, and the server stores an id once. So everything below may send an
// event twice and must never send it less than once: an event is in localStorage from the moment it happens until the
// server has acknowledged it, under a key of its own, so that tabs have nothing to overwrite of each other.
//
// ES2017, no dependency. `frontdesk.min.js` is this file, minified by tests/browser/build.js; a test compares them.
(() => {
  'use strict';

  const SECOND = 1000;
  const KIB = 1024;

  // What the server takes (take_event.rs), and what a browser lets outlive its page (64 KiB in all).
  const MOST_EVENT_BYTES = 10 * KIB;
  const MOST_BATCH_EVENTS = 100;
  const MOST_BYTES_IN_FLIGHT = 59 * KIB;

  const BATCH_DELAY = SECOND;
  const BATCH_AT_ONCE = 20;
  const TIMEOUT = 20 * SECOND;
  const FIRST_BACK_OFF = 2 * SECOND;
  const LONGEST_BACK_OFF = 300 * SECOND;
  const LONGEST_RETRY_AFTER = 3600 * SECOND;

  const MOST_WAITING = 1000;
  const MOST_KEPT = 200;
  const MOST_KEPT_CHARS = 100 * KIB;
  const LONGEST_KEPT = 7 * 24 * 3600 * SECOND;

  // What the server will never take, however often it is asked. Any other "no" may be a mistake that somebody mends: an
  // origin or a seller that is not in the document yet.
  const NEVER_TAKEN = [400, 413, 415, 422];

  const CHILI_PIPER = /^https:\/\/([a-z0-9-]+\.)+chilipiper\.com$/;
  const FULLVIEW = [
    'callRequested', 'callAccepted', 'callDenied', 'callEnded',
    'supportRequested', 'supportRequestCancelledByCustomer', 'supportRequestCancelledByAgent', 'supportRequestTaken',
  ];

  /** Whatever we are called for: our own failure never reaches the page. */
  const safely = (act) => (...given) => {
    try {
      return act(...given);
    } catch (ours) {
      return undefined;
    }
  };

  const nothing = () => {};

  const listen = (type, act) => window.addEventListener(type, safely(act), true);

  // ---- Events -------------------------------------------------------------------------------------------------------

  /** `randomUUID` is there on secure origins only. */
  const uuid = () => {
    if (crypto.randomUUID) return crypto.randomUUID();
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    bytes[6] = (bytes[6] & 15) | 64;
    bytes[8] = (bytes[8] & 63) | 128;
    return Array.from(bytes, (byte, at) => ([4, 6, 8, 10].includes(at) ? '-' : '') + (byte + 256).toString(16).slice(1)).join('');
  };

  const isObject = (value) => !!value && typeof value === 'object';

  /**
   * What is left of a value that JSON cannot take: no cycles, no parts of the page, no fields that throw. Bounded in
   * depth and number, since a page's objects may lead anywhere.
   */
  const plain = (value, budget, above) => {
    if (typeof value === 'bigint') return String(value);
    if (!isObject(value)) return value;
    if (value.nodeType || value.window === value || above.includes(value) || above.length > 16) return null;
    const within = above.concat([value]);
    if (typeof value.toJSON === 'function') return plain(value.toJSON(), budget, within);
    const copy = Array.isArray(value) ? [] : {};
    Object.keys(value).forEach((key) => {
      if (budget.left-- > 0) {
        try {
          copy[key] = plain(value[key], budget, within);
        } catch (theirs) {
          copy[key] = null;
        }
      }
    });
    return copy;
  };

  /** Written down at once: the page may change `data` as soon as we return. */
  const written = (event) => {
    try {
      return JSON.stringify(event);
    } catch (unfit) {
      return JSON.stringify(Object.assign(event, { data: safely(plain)(event.data, { left: 2000 }, []) }));
    }
  };

  const bytesOf = (text) => new TextEncoder().encode(text).length;

  const record = safely((source, name, data) => {
    if (typeof name !== 'string' || !name.trim()) return;
    const now = Date.now();
    const id = uuid();
    // The query and the fragment stay here: they carry personal data.
    const page = location.origin + location.pathname;
    const text = written({ id, source, name, data, at: new Date(now).toISOString(), page });
    const bytes = bytesOf(text);
    if (bytes > MOST_EVENT_BYTES) {
      console.warn('frontdesk: over 10 KiB, not sent: ' + name);
      return;
    }
    const key = prefix + now + ':' + id;
    keep(key, text);
    wait({ key, text, bytes });
    // A hidden page may be gone before its timer comes.
    if (document.hidden || waiting.length >= BATCH_AT_ONCE) send();
    else soon(BATCH_DELAY);
  });

  // ---- Keeping what is not acknowledged -----------------------------------------------------------------------------

  // `null` where the visitor or the browser forbids it, and reading it throws.
  const store = safely(() => localStorage)();

  /** Our keys, oldest first: a key begins with its event's time. All tabs see the same. */
  const keys = () => Object.keys(store).filter((key) => key.startsWith(prefix)).sort();

  const keep = safely((key, text) => {
    if (key) store.setItem(key, text);
    let chars = 0;
    keys().reverse().forEach((key, at) => {
      chars += (store.getItem(key) || '').length;
      const age = Date.now() - parseInt(key.slice(prefix.length), 10);
      if (at >= MOST_KEPT || chars > MOST_KEPT_CHARS || age > LONGEST_KEPT) store.removeItem(key);
    });
  });

  const forget = safely((key) => store.removeItem(key));

  /** What an earlier page view, or another tab, could not see acknowledged. */
  const takeUp = safely(() => {
    keep();
    keys().forEach((key) => {
      const text = store.getItem(key);
      try {
        JSON.parse(text).id.trim();
        wait({ key, text, bytes: bytesOf(text) });
      } catch (spoilt) {
        forget(key);
      }
    });
    if (waiting.length) soon(BATCH_DELAY);
  });

  // ---- Sending ------------------------------------------------------------------------------------------------------

  let waiting = [];
  let inFlight = 0;
  let failures = 0;
  let most = MOST_BATCH_EVENTS;
  let notBefore = 0;
  let timer;
  let timerAt = 0;

  const wait = (event) => {
    waiting.push(event);
    if (waiting.length > MOST_WAITING) forget(waiting.shift().key);
  };

  /** Sends after `delay`, or earlier when that is planned already, and never within a back-off. */
  const soon = (delay) => {
    const at = Math.max(Date.now() + delay, notBefore);
    if (timer && timerAt <= at && timerAt >= notBefore) return;
    clearTimeout(timer);
    timerAt = at;
    timer = setTimeout(safely(() => {
      timer = 0;
      send();
    }), at - Date.now());
  };

  /** How many events, from the first, make the next batch within `room` bytes. */
  const fitting = (events, room, limit) => {
    let count = 0;
    let bytes = 0;
    while (count < events.length && count < limit && (bytes += events[count].bytes + 1) <= room) count += 1;
    return count;
  };

  const bodyOf = (batch) =>
    '{"sent_at":"' + new Date().toISOString() + '","events":[' + batch.map((event) => event.text).join() + ']}';

  /** Sends as much as may be in flight at once. A page's last words wait for no back-off. */
  const send = (last) => {
    if (last && !('keepalive' in Request.prototype)) {
      beacon();
      return;
    }
    if (!last && Date.now() < notBefore) {
      soon(0);
      return;
    }
    // After a failure one batch at a time: it asks whether the API is back.
    while (last || most >= MOST_BATCH_EVENTS || !inFlight) {
      const count = fitting(waiting, MOST_BYTES_IN_FLIGHT - inFlight, last ? MOST_BATCH_EVENTS : most);
      if (!count) return;
      post(waiting.splice(0, count), last);
    }
  };

  const post = (batch, last) => {
    const bytes = batch.reduce((sum, event) => sum + event.bytes + 1, 0);
    const cut = new AbortController();
    const timeout = setTimeout(() => cut.abort(), TIMEOUT);
    inFlight += bytes;

    const failed = (answer) => {
      const backOff = Math.min(FIRST_BACK_OFF * Math.pow(2, failures), LONGEST_BACK_OFF) * (0.5 + Math.random() / 2);
      // Readable only when the server exposes it to other origins.
      const asked = answer ? answer.headers.get('retry-after') * SECOND || 0 : 0;
      failures += 1;
      notBefore = Date.now() + Math.max(backOff, Math.min(asked, LONGEST_RETRY_AFTER));
      // Behind the others and in smaller batches, so that one event that always fails does not hold up the rest.
      waiting = waiting.concat(batch);
      most = Math.max(1, batch.length >> 1);
    };
    const settled = (answer) => {
      failures = notBefore = 0;
      most = Math.min(MOST_BATCH_EVENTS, most * 2);
      // What is left is not asked about again before the next page view, which finds it where it is kept.
      if (answer.ok || NEVER_TAKEN.includes(answer.status)) batch.forEach((event) => forget(event.key));
    };

    // In a promise, so that a `fetch` that the page replaced and that throws is a failure like any other.
    new Promise((resolve) => resolve(fetch(collect, {
      method: 'POST',
      body: bodyOf(batch),
      mode: 'cors',
      credentials: 'omit',
      // With this body type no pre-flight goes ahead.
      headers: { 'content-type': 'text/plain' },
      // After a failure without it, as it may be what failed: the page's other scripts share the browser's 64 KiB.
      keepalive: !!last || !failures,
      signal: cut.signal,
    }))).then((answer) => {
      const { status } = answer;
      if (status > 499 || status === 429 || status === 408) failed(answer);
      else settled(answer);
      // Read to its end: until then the request counts towards the browser's 64 KiB.
      return answer.text();
    }, () => failed()).catch(nothing).then(() => {
      clearTimeout(timeout);
      inFlight -= bytes;
      if (waiting.length) soon(0);
    }).catch(nothing);
  };

  /**
   * For browsers whose `fetch` cannot outlive the page. Second choice, because a beacon cannot be confirmed even when the
   * page lives on (its events stay kept, and are sent again), carries the API's cookies if it ever has any, and by the
   * standard comes with `Origin: null` from a page with a strict `Referrer-Policy`, which the server turns away.
   */
  const beacon = () => {
    let rest = waiting;
    for (;;) {
      const count = fitting(rest, MOST_BYTES_IN_FLIGHT, MOST_BATCH_EVENTS);
      if (!count || !navigator.sendBeacon(collect, bodyOf(rest.slice(0, count)))) return;
      rest = rest.slice(count);
    }
  };

  // ---- Popin: one function on `window`, which the page may have, set, or set again ------------------------------------

  let pageFunction;
  // The accessor of another script, which was there before ours.
  let foreign;
  // The relay that the page saw last; the name of the event that is being handed to the page.
  let current;
  let outer;
  const relays = new WeakMap();
  const originals = new WeakMap();
  const told = new WeakMap();

  /** Stands in for the page's function and hands it everything: `this`, the arguments, what it returns and throws. */
  const relayFor = (given) => {
    const callee = typeof given === 'function' ? given : nothing;
    if (originals.has(callee)) return callee;
    if (relays.has(callee)) return relays.get(callee);
    const relay = function (name, data) {
      const before = outer;
      safely(() => {
        // A page that calls the function it found from its own, at once or later, hands on what we know already.
        if (relay !== current && (before === name || (isObject(data) && told.get(data) === name))) return;
        if (isObject(data)) told.set(data, name);
        record('popin', name, data);
      })();
      outer = name;
      try {
        return callee.apply(this, arguments);
      } finally {
        outer = before;
      }
    };
    relays.set(callee, relay);
    originals.set(relay, callee);
    return relay;
  };

  const get = () => (current = relayFor(foreign ? foreign.get.call(window) : pageFunction));
  const set = (given) => {
    // The page may put back what it read.
    const own = originals.get(given) || given;
    if (!foreign) pageFunction = own;
    else if (foreign.set) foreign.set.call(window, own);
  };

  const hook = () => {
    const own = Object.getOwnPropertyDescriptor(window, 'popinEvent');
    if (own && own.get === get) return;
    if (!own || own.configurable) {
      // Another script's accessor is asked in our stead; one that came after us is left alone, lest we take turns.
      const accessor = own && own.get;
      if (accessor && current) return;
      if (accessor) foreign = own;
      else pageFunction = own && own.value;
      // Configurable, or a later `function popinEvent` in the page would fail.
      Object.defineProperty(window, 'popinEvent', { get, set, configurable: true, enumerable: true });
      get();
    } else if (own.writable && !originals.has(own.value)) {
      // `var popinEvent` and `function popinEvent` make a property that cannot be redefined: its value is replaced.
      window.popinEvent = current = relayFor(own.value);
    }
  };

  // ---- The start ----------------------------------------------------------------------------------------------------

  let collect;
  let prefix;

  safely(() => {
    // A loader may run us where there is no `currentScript`.
    const own = document.currentScript;
    const tag = own && own.dataset.seller ? own : document.querySelector('script[data-seller][src*="frontdesk"]');
    const mark = Symbol.for('frontdesk');
    if (window[mark]) return;
    const { seller } = tag.dataset;
    if (!/^[a-z0-9-]{1,64}$/.test(seller)) {
      console.warn('frontdesk: data-seller is missing or wrong');
      return;
    }
    Object.defineProperty(window, mark, { value: true });
    collect = new URL('collect/' + seller, tag.src).href;
    prefix = 'frontdesk:' + seller + ':';

    // A script that declares `function popinEvent` later takes our place without a word, so we look again.
    safely(hook)();
    setInterval(safely(hook), SECOND / 4);

    listen('message', ({ origin, data }) => {
      if (!CHILI_PIPER.test(origin) || !isObject(data)) return;
      if (!/^(started|stopped)-listening-form-data-update$/.test(data.action)) record('chili-piper', data.action, data);
    });
    FULLVIEW.forEach((name) => listen('fullview:' + name, ({ type, detail }) => record('fullview', type, detail)));

    listen('pagehide', () => send(true));
    listen('visibilitychange', () => document.hidden && send(true));
    listen('pageshow', () => waiting.length && soon(0));
    listen('online', () => {
      notBefore = 0;
      if (waiting.length) soon(0);
    });
    takeUp();
  })();
})();
