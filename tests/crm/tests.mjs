// npm's packages sign for `local`, send to it, and verify what it sends: node tests.mjs
import '@shopify/shopify-api/adapters/web-api';
import hubspotApi from '@hubspot/api-client';
import { ApiVersion, LogSeverity, shopifyApi } from '@shopify/shopify-api';
import { createSHA256HMAC } from '@shopify/shopify-api/runtime';
import { RequestType, setUpValidRequest } from '@shopify/shopify-api/test-helpers';
import { Webhook, WebhookVerificationError } from 'standardwebhooks';
import { MINUTES, Shop, check, equal, now, oneByte, refuses, runAll, test } from './harness.mjs';

const { Client, Signature } = hubspotApi;
const shop = new Shop('node', 2201);
await shop.listen();

// ---- HubSpot --------------------------------------------------------------------------------------------------------

const { client_secrets: [SECRET], public_url: PUBLIC } = shop.crm.hubspot;
const hubspot = new Client({ basePath: shop.api });

/** Sent by the package's own client, the body as it is. */
const toHubspot = (body, headers) => hubspot.apiRequest({
  method: 'POST', path: new URL(PUBLIC).pathname, body, defaultJson: false, headers: { 'content-type': 'application/json', ...headers },
});

/** An app's event, and the contact that it is read back from. */
async function batch(person) {
  const record = { firstname: person.first, lastname: 'Example', mobilephone: person.mobile };
  await fetch(`${shop.sim}/_sim/records`, {
    method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ name: `hubspot/contacts/${person.id}`, record }),
  });
  const event = { eventId: 1, portalId: 44001122, occurredAt: Date.now(), attemptNumber: 0 };
  return JSON.stringify([{ ...event, subscriptionType: 'contact.creation', objectId: Number(person.id) }]);
}

const options = (requestBody, more) => ({ clientSecret: SECRET, requestBody, url: PUBLIC, ...more });
const v3 = (body, timestamp, more) => ({
  'X-HubSpot-Signature-v3': Signature.getSignature('POST', 'v3', options(body, { timestamp, ...more })),
  'X-HubSpot-Request-Timestamp': String(timestamp),
});
const isValid = (body, headers) => Signature.isValid(options(body, {
  signatureVersion: 'v3', method: 'POST',
  signature: headers['X-HubSpot-Signature-v3'], timestamp: Number(headers['X-HubSpot-Request-Timestamp']),
}));
const older = (version, body) => ({
  'X-HubSpot-Signature-Version': version, 'X-HubSpot-Signature': Signature.getSignature('POST', version, options(body)),
});

test("HubSpot signs an app's batch by v3, and its contact is called", async () => {
  const asha = shop.person('Asha');
  const body = await batch(asha);
  const signed = v3(body, Date.now() - 4 * MINUTES * 1000);
  check(isValid(body, signed), 'the package disagrees with itself');
  const answer = await toHubspot(body, signed);
  equal([answer.status, (await answer.json()).stored], [200, true], 'the answer');
  await shop.booked(asha, 'hubspot');
});

test("HubSpot's v3 is refused when a byte is changed, or the time is not now", async () => {
  const mina = shop.person('Mina');
  const [body, at, away] = [await batch(mina), Date.now(), (5 * MINUTES + 10) * 1000];
  const signed = v3(body, at);
  const signature = signed['X-HubSpot-Signature-v3'];
  check(!isValid(oneByte(body), signed), 'the package takes another body');
  refuses(() => isValid(body, v3(body, at - away)), Error, 'an old time stamp');
  for (const [what, text, headers] of [
    ['another body', oneByte(body), signed],
    ['another signature', body, { ...signed, 'X-HubSpot-Signature-v3': (signature[0] === 'A' ? 'B' : 'A') + signature.slice(1) }],
    ['another time', body, { ...signed, 'X-HubSpot-Request-Timestamp': String(at + 1) }],
    ['another URL', body, v3(body, at, { url: `${PUBLIC}/` })],
    ['another secret', body, v3(body, at, { clientSecret: shop.crm.shopify.secrets[0] })],
    ['an old time stamp', body, v3(body, at - away)],
    // The package itself takes this one.
    ['a time stamp of the future', body, v3(body, at + away)],
  ]) {
    equal((await toHubspot(text, headers)).status, 401, what);
  }
});

test("HubSpot signs a workflow's action by v2, and is told to wait", async () => {
  const hari = shop.person('Hāri');
  const action = { callbackId: `ap-${hari.id}`, object: { objectId: Number(hari.id), objectType: 'CONTACT' } };
  const body = JSON.stringify({ ...action, inputFields: { name: hari.name, mobile: hari.mobile } });
  equal((await toHubspot(oneByte(body), older('v2', body))).status, 401, 'another body');
  // Whoever has a v3 that is wrong does not get by with a v2 that is right.
  equal((await toHubspot(body, { ...older('v2', body), ...v3(oneByte(body), Date.now()) })).status, 401, 'a wrong v3 beside it');
  const answer = await toHubspot(body, older('v2', body));
  equal(answer.status, 200, 'the answer');
  equal((await answer.json()).outputFields.hs_execution_state, 'BLOCK', 'what the workflow is told');
  await shop.booked(hari, 'hubspot');
});

test("HubSpot's batch is not taken by an older signature", async () => {
  const hema = shop.person('Hema');
  const body = await batch(hema);
  for (const version of ['v1', 'v2']) {
    equal((await toHubspot(body, older(version, body))).status, 401, version);
  }
});

// ---- Standard Webhooks ----------------------------------------------------------------------------------------------

const [WHSEC] = shop.crm.standard.secrets;

const toStandard = (body, headers) =>
  fetch(shop.url('standard'), { method: 'POST', body, headers: { 'content-type': 'application/json', ...headers } });
const lead = (person) => JSON.stringify({ lead: { external_id: person.id, name: person.name, mobile: person.mobile } });
const v1 = (body, id, seconds, secret = WHSEC) => ({
  'webhook-id': id, 'webhook-timestamp': String(seconds),
  'webhook-signature': new Webhook(secret).sign(id, new Date(seconds * 1000), body),
});

test('standardwebhooks signs a trigger, and the same message is the same booking', async () => {
  const ravi = shop.person('Rāvi');
  const body = lead(ravi);
  const signed = v1(body, `msg_${ravi.id}`, now(4 * MINUTES));
  new Webhook(WHSEC).verify(body, signed);
  const first = await toStandard(body, signed);
  equal(first.status, 202, 'the answer');
  const booking = await shop.booked(ravi, 'standard');
  equal((await first.json()).id, booking.id, 'the booking of the answer');
  const again = await toStandard(body, v1(body, `msg_${ravi.id}`, now()));
  equal([again.status, (await again.json()).id], [first.status, booking.id], 'the answer to the same message');
});

test('standardwebhooks and we refuse the same', async () => {
  const mina = shop.person('Mina');
  const [body, id, seconds] = [lead(mina), `msg_${mina.id}`, now()];
  const signed = v1(body, id, seconds);
  for (const [what, text, headers] of [
    ['another body', oneByte(body), signed],
    ['another id', body, { ...signed, 'webhook-id': oneByte(id) }],
    ['another time', body, { ...signed, 'webhook-timestamp': String(seconds - 1) }],
    ['another secret', body, v1(body, id, seconds, shop.document.notify.secrets[0])],
    ['an old time stamp', body, v1(body, id, now(5 * MINUTES + 10))],
    ['a time stamp of the future', body, v1(body, id, now(-5 * MINUTES - 10))],
    ["no signature but another's", body, { ...signed, 'webhook-signature': signed['webhook-signature'].replace('v1,', 'v2,') }],
  ]) {
    refuses(() => new Webhook(WHSEC).verify(text, headers), WebhookVerificationError, what);
    equal((await toStandard(text, headers)).status, 401, what);
  }
});

// ---- Shopify, which signs no time -----------------------------------------------------------------------------------

const validators = shop.crm.shopify.secrets.map((apiSecretKey) => shopifyApi({
  apiKey: 'an-api-key', apiSecretKey, scopes: [], hostName: 'api.example.com', apiVersion: ApiVersion.October25,
  isEmbeddedApp: false, logger: { level: LogSeverity.Error, log: () => {} },
}));

/** The package's own request, signed as Shopify signs. */
const ofShopify = (topic, event, body, apiSecretKey) => setUpValidRequest({
  type: RequestType.Extension, store: 'acme', apiSecretKey, body,
  headers: {
    'Content-Type': 'application/json', 'X-Shopify-Topic': topic, 'X-Shopify-Event-Id': event,
    'X-Shopify-Webhook-Id': `delivery-of-${event}`, 'X-Shopify-API-Version': '2026-07',
  },
}, new Request(shop.url('shopify'), { method: 'POST' }));

/** The package's word on the very bytes that are sent then, and our answer to them. */
async function toShopify(request, validator) {
  const rawBody = await request.clone().text();
  const { valid } = await validator.webhooks.validate({ rawBody, rawRequest: request.clone() });
  return { valid, status: (await fetch(request)).status };
}
const withBody = (request, body) => new Request(request.url, { method: 'POST', headers: request.headers, body });

for (const [at, which] of ['new', 'old'].entries()) {
  test(`Shopify signs a customer and an order by the ${which} secret`, async () => {
    const secret = shop.crm.shopify.secrets[at];
    const shan = shop.person('Shān');
    const customer = { id: Number(shan.id), first_name: shan.first, last_name: 'Example', phone: shan.mobile };
    const created = await ofShopify('customers/create', `event-${shan.id}`, customer, secret);
    equal(await toShopify(created, validators[at]), { valid: true, status: 200 }, 'the package, and our answer');
    await shop.booked(shan, 'shopify');

    const omar = shop.person('Omar');
    const order = { id: Number(omar.id), customer: { first_name: omar.first, last_name: 'Example', phone: omar.mobile } };
    const ordered = await ofShopify('orders/create', `event-${omar.id}`, order, secret);
    equal(await toShopify(ordered, validators[at]), { valid: true, status: 200 }, 'the package, and our answer');
    await shop.booked(omar, 'shopify');
  });
}

test('Shopify signs by the newer headers too', async () => {
  const sana = shop.person('Sana');
  const body = JSON.stringify({ id: Number(sana.id), first_name: sana.first, last_name: 'Example', phone: sana.mobile });
  const headers = {
    'content-type': 'application/json', 'shopify-topic': 'customers/create', 'shopify-event-id': `event-${sana.id}`,
    'shopify-webhook-id': `delivery-of-${sana.id}`, 'shopify-shop-domain': 'acme.myshopify.com', 'shopify-api-version': '2026-07',
    'shopify-hmac-sha256': await createSHA256HMAC(shop.crm.shopify.secrets[0], body),
  };
  const request = new Request(shop.url('shopify'), { method: 'POST', headers, body });
  equal(await toShopify(withBody(request, oneByte(body)), validators[0]), { valid: false, status: 401 }, 'another body');
  equal(await toShopify(request, validators[0]), { valid: true, status: 200 }, 'the package, and our answer');
  await shop.booked(sana, 'shopify');
});

test('Shopify and we refuse the same', async () => {
  const mina = shop.person('Mina');
  const customer = { id: Number(mina.id), first_name: mina.first, last_name: 'Example', phone: mina.mobile };
  const made = (secret) => ofShopify('customers/create', `event-${mina.id}`, customer, secret);
  const good = await made(shop.crm.shopify.secrets[0]);
  const body = JSON.stringify(customer);
  const forged = withBody(good, body);
  const signature = good.headers.get('x-shopify-hmac-sha256');
  forged.headers.set('x-shopify-hmac-sha256', (signature[0] === 'A' ? 'B' : 'A') + signature.slice(1));
  for (const [what, request] of [
    ['another body', withBody(good, oneByte(body))],
    ['another signature', forged],
    ['another secret', await made(SECRET)],
  ]) {
    equal(await toShopify(request, validators[0]), { valid: false, status: 401 }, what);
  }
});

// ---- What we sign ---------------------------------------------------------------------------------------------------

test('what the shop is told is verified by standardwebhooks, and nothing near it', () => {
  check(shop.messages.length >= shop.bookedMobiles.length && shop.bookedMobiles.length > 0, 'the shop was told too little');
  const [fresh, old] = shop.document.notify.secrets;
  for (const { path, headers, body } of shop.messages) {
    equal(path, '/hooks/frontdesk', 'the path that is told');
    for (const secret of [fresh, old]) equal(new Webhook(secret).verify(body, headers).data.seller, 'node', 'the seller');
    for (const [what, secret, text, shown] of [
      ['another body', fresh, body.toString().replace('scheduled', 'scheduleb'), headers],
      ['another id', fresh, body, { ...headers, 'webhook-id': `${headers['webhook-id']}0` }],
      ['another time', fresh, body, { ...headers, 'webhook-timestamp': String(Number(headers['webhook-timestamp']) + 1) }],
      ['another secret', WHSEC, body, headers],
    ]) {
      refuses(() => new Webhook(secret).verify(text, shown), WebhookVerificationError, what);
    }
  }
});

test('nothing that was refused went any further', () => shop.nothingElse());

await runAll();
