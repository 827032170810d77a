// Stores one event as a Node team would write it: Powertools logger, zod schema, AWS SDK v3.
import { DynamoDBClient, PutItemCommand } from "@aws-sdk/client-dynamodb";
import { Logger } from "@aws-lambda-powertools/logger";
import { z } from "zod";

const logger = new Logger({ serviceName: "intake", logLevel: "WARN" });
const dynamodb = new DynamoDBClient({});
const table = process.env.TABLE_NAME;

const id = z.string().regex(/^[A-Za-z0-9-]{16,64}$/);
const Event = z.strictObject({
  event: z.string().trim().toLowerCase().regex(/^[a-z_]{1,64}$/),
  event_id: id,
  ts: z.number().int().min(1_500_000_000_000).max(3_999_999_999_999),
  anon_id: id,
  url: z.string().max(2048).startsWith("https://"),
  props: z
    .record(z.string().max(40), z.string().max(256))
    .default({})
    .refine((props) => Object.keys(props).length <= 20),
});

function answer(statusCode, body) {
  return { statusCode, headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
}

/** The URL without its fragment and campaign parameters. */
function plain(url) {
  const [base, query = ""] = url.split("#")[0].split("?");
  const kept = query.split("&").filter((pair) => pair && !pair.startsWith("utm_"));
  return kept.length ? `${base}?${kept.join("&")}` : base;
}

export async function handler(request) {
  let json;
  try {
    json = JSON.parse(request.isBase64Encoded ? Buffer.from(request.body, "base64").toString() : request.body);
  } catch {
    return answer(422, { error: "body" });
  }
  const parsed = Event.safeParse(json);
  if (!parsed.success) {
    return answer(422, { error: parsed.error.issues[0].path.join(".") });
  }
  const event = parsed.data;
  const put = new PutItemCommand({
    TableName: table,
    Item: {
      pk: { S: `E#${event.event_id}` },
      sk: { S: `T#${event.ts}` },
      ev: { S: event.event },
      ts: { N: String(event.ts) },
      anon: { S: event.anon_id },
      url: { S: plain(event.url) },
      props: { M: Object.fromEntries(Object.entries(event.props).map(([name, value]) => [name, { S: value }])) },
    },
    ConditionExpression: "attribute_not_exists(pk)",
  });
  try {
    await dynamodb.send(put);
    return answer(202, { ok: true });
  } catch (error) {
    if (error.name === "ConditionalCheckFailedException") {
      return answer(202, { ok: true, dup: true });
    }
    logger.error("put failed", error);
    throw error;
  }
}
