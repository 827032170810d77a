// The world of a test in JavaScript: a shop of its own at `local`, people with numbers of their own, and what the shop is told.
import { readFileSync } from 'node:fs';
import http from 'node:http';
import { Webhook } from 'standardwebhooks';

export const MINUTES = 60;
export const now = (secondsAgo = 0) => Math.floor(Date.now() / 1000) - secondsAgo;

export const check = (truth, otherwise) => {
  if (!truth) throw new Error(otherwise);
};
export const equal = (seen, wanted, what) => {
  const [left, right] = [JSON.stringify(seen), JSON.stringify(wanted)];
  check(left === right, `${what}: ${left} instead of ${right}`);
};

/** The package itself says no. */
export const refuses = (call, error, what) => {
  try {
    call();
  } catch (thrown) {
    if (thrown instanceof error) return;
    throw thrown;
  }
  throw new Error(`the package takes ${what}`);
};

/** Looks until `look` answers something true. */
async function until(what, look, seconds = 30) {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const seen = await look();
    if (seen) return seen;
    check(Date.now() < end, `not within ${seconds} s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** The last number or id of the text with another digit: as good a body as it was, and of somebody else. */
export const oneByte = (text) => {
  const at = text.lastIndexOf('90000');
  check(at >= 0, `no number in ${text}`);
  return `${text.slice(0, at)}8${text.slice(at + 1)}`;
};

export class Shop {
  bookedMobiles = [];
  messages = [];

  constructor(name, first) {
    this.document = JSON.parse(readFileSync(process.env.SELLERS, 'utf8'))[name];
    this.name = name;
    this.api = process.env.API;
    this.crm = this.document.crm;
    this.sim = this.document.popin.base_url.replace(/\/api\/v1$/, '');
    this.next = first;
  }

  url(rest) {
    return `${this.api}/v1/crm/${this.name}/${rest}`;
  }

  person(name) {
    const number = this.next;
    this.next += 1;
    return { id: `90000${number}`, first: name, name: `${name} Example`, mobile: `+9190000${String(number).padStart(5, '0')}` };
  }

  /** The shop's own URL: keeps what it is told, to the byte. */
  listen() {
    const { hostname, port } = new URL(this.document.notify.url);
    this.server = http.createServer(async (request, response) => {
      const chunks = [];
      for await (const chunk of request) chunks.push(chunk);
      this.messages.push({ path: request.url, headers: request.headers, body: Buffer.concat(chunks) });
      response.writeHead(204).end();
    });
    return new Promise((resolve, reject) => this.server.on('error', reject).listen(port, hostname, resolve));
  }

  async get(path) {
    const answer = await fetch(this.api + path, { headers: { authorization: `Bearer ${this.document.api_keys[0]}` } });
    equal(answer.status, 200, `GET ${path}`);
    return answer.json();
  }

  async atPopin(what) {
    const all = await (await fetch(`${this.sim}/_sim/${what}`)).json();
    return all.filter((seen) => seen.seller === this.document.popin.token);
  }

  messageOf(person) {
    return this.messages.find((message) => JSON.parse(message.body).data.external_id === person.id);
  }

  /** One call at Popin, a booking that says so, and the shop told of it by a message that the package verifies. */
  async booked(person, connector) {
    const message = await until(`the shop is told of ${person.name}'s call`, () => this.messageOf(person));
    const [told] = this.document.notify.secrets.map((secret) => new Webhook(secret).verify(message.body, message.headers));
    equal(told.type, 'booking.scheduled', 'what the shop is told');
    equal(told.data.connector, connector, 'the connector that the shop is told of');
    const booking = await this.get(`/v1/bookings/${this.name}/${told.data.booking_id}`);
    equal(booking.state, 'scheduled', `${person.name}'s booking`);
    equal(booking.trigger.connector, connector, "the booking's trigger");
    equal(told.data.join_url, booking.join_url, 'the link to join');
    const calls = (await this.atPopin('schedules')).filter((call) => call.mobile === person.mobile);
    equal(calls.length, 1, `${person.name}'s calls at Popin`);
    this.bookedMobiles.push(person.mobile);
    return booking;
  }

  /** Popin heard of nobody but those who were booked, and no trigger lies parked. */
  async nothingElse() {
    const captured = (await this.atPopin('customers')).map((customer) => customer.mobile);
    equal(captured.sort(), [...this.bookedMobiles].sort(), 'who is known to Popin');
    equal((await this.get(`/v1/crm/${this.name}/parked`)).parked, [], 'what is parked');
  }
}

const tests = [];
export const test = (name, run) => tests.push({ name, run });

export async function runAll() {
  let failed = 0;
  for (const { name, run } of tests) {
    try {
      await run();
      console.log(`ok    ${name}`);
    } catch (error) {
      failed += 1;
      console.log(`FAIL  ${name}: ${error}`);
    }
  }
  console.log(`${tests.length - failed} passed, ${failed} failed`);
  process.exit(failed || !tests.length ? 1 : 0);
}
