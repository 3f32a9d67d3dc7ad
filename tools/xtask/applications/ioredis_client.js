// ioredis, the client that BullMQ and much else stands on.
//
// Pipelines, automatic pipelining, transactions and WATCH, Lua commands, streams of
// scans, pub/sub, consumer groups, blocking reads, binary values; and
// rate-limiter-flexible on top of it.

"use strict";

const Redis = require("ioredis");
const { RateLimiterRedis, RateLimiterQueue } = require("rate-limiter-flexible");
const { PORT, check, run, until } = require("./application.js");

const connect = (options = {}) => new Redis({ port: PORT, db: 5, ...options });

async function pipelines(client) {
  const pipeline = client.pipeline();
  for (let number = 0; number < 1000; number += 1) pipeline.set(`pipe:${number}`, number);
  check((await pipeline.exec()).every(([error, reply]) => error === null && reply === "OK"), true);
  const mixed = await client.pipeline().get("pipe:7").lpush("pipe:7", "x").incr("pipe:7").exec();
  check(mixed[0], [null, "7"]);
  check(mixed[1][0].message.startsWith("WRONGTYPE"), true);
  check(mixed[2], [null, 8]);
  const automatic = connect({ enableAutoPipelining: true });
  const all = await Promise.all(
    Array.from({ length: 500 }, (_, number) => automatic.get(`pipe:${number + 10}`)),
  );
  check(all, Array.from({ length: 500 }, (_, number) => String(number + 10)));
  automatic.disconnect();
}

async function transactions(client) {
  check(await client.multi().set("t", 1).incr("t").hset("th", { a: 1, b: 2 }).exec(), [
    [null, "OK"],
    [null, 2],
    [null, 2],
  ]);
  await client.watch("t");
  const other = connect();
  await other.set("t", "changed");
  check(await client.multi().set("t", "mine").exec(), null);
  check(await client.get("t"), "changed");
  const refused = await client.multi().set("t").exec().catch((error) => error.message);
  check(refused, "EXECABORT Transaction discarded because of previous errors.");
  other.disconnect();
}

async function scripts(client) {
  client.defineCommand("takeAtMost", {
    numberOfKeys: 1,
    lua: `local left = tonumber(redis.call('GET', KEYS[1]) or '0')
          local taken = math.min(left, tonumber(ARGV[1]))
          redis.call('SET', KEYS[1], left - taken)
          return {taken, left - taken}`,
  });
  await client.set("stock", 10);
  check(await client.takeAtMost("stock", 7), [7, 3]);
  // Loaded anew by the client where the server has forgotten it.
  await client.script("FLUSH");
  check(await client.takeAtMost("stock", 7), [3, 0]);
  const message = await client.eval("return redis.call('NOPE')", 0).catch((error) => error.message);
  check(message.includes("Unknown command called from script"), true);
}

async function scans(client) {
  const collect = async (stream) => {
    const found = new Set();
    for await (const batch of stream) for (const one of batch) found.add(one);
    return found;
  };
  check((await collect(client.scanStream({ match: "pipe:*", count: 100 }))).size, 1000);
  await client.sadd("set", ...Array.from({ length: 3000 }, (_, number) => number));
  check((await collect(client.sscanStream("set", { count: 200 }))).size, 3000);
  await client.zadd("sorted", ...Array.from({ length: 4000 }, (_, number) => number));
  check((await client.zrange("sorted", "(10", 20, "BYSCORE")).length, 5);
  const pairs = Array.from({ length: 2000 }, (_, number) => [`field:${number}`, "x".repeat(90)]);
  await client.hset("hash", new Map(pairs));
  check((await collect(client.hscanStream("hash", { count: 50 }))).size, 2001);
  check(await client.hgetall("hash"), { ...Object.fromEntries(pairs) });
}

async function messages(client) {
  const subscriber = connect();
  const heard = [];
  subscriber.on("message", (channel, text) => heard.push([channel, text]));
  subscriber.on("pmessage", (pattern, channel, text) => heard.push([pattern, channel, text]));
  check(await subscriber.subscribe("news", "sport"), 2);
  check(await subscriber.psubscribe("n*"), 3);
  check(await client.publish("news", "hello"), 2);
  await until("both messages", () => heard.length === 2);
  check(heard, [["news", "hello"], ["n*", "news", "hello"]]);
  // Without names this answers only once nothing at all is subscribed to.
  await subscriber.unsubscribe("news", "sport");
  await subscriber.punsubscribe();
  check(await subscriber.ping(), "PONG");
  subscriber.disconnect();
}

async function waiting(client) {
  const waiter = connect();
  const popped = waiter.blpop("line", 30);
  await until("the waiting client", async () => (await client.info("clients")).includes("blocked_clients:1"));
  await client.rpush("line", "first");
  check(await popped, ["line", "first"]);
  await client.xgroup("CREATE", "log", "group", "$", "MKSTREAM");
  const read = waiter.xreadgroup("GROUP", "group", "me", "BLOCK", 30000, "STREAMS", "log", ">");
  await client.xadd("log", "1-1", "field", "value");
  check(await read, [["log", [["1-1", ["field", "value"]]]]]);
  check(await client.xpending("log", "group"), [1, "1-1", "1-1", [["me", "1"]]]);
  check(await client.xack("log", "group", "1-1"), 1);
  waiter.disconnect();
}

async function bytes(client) {
  const value = Buffer.from(Array.from({ length: 1 << 20 }, (_, number) => (number * 7) % 256));
  await client.set("bytes", value);
  check((await client.getBuffer("bytes")).equals(value), true);
  const prefixed = connect({ keyPrefix: "prefix:" });
  await prefixed.mset({ a: 1, b: 2 });
  check(await prefixed.mget("a", "b", "c"), ["1", "2", null]);
  check(await client.exists("prefix:a", "prefix:b"), 2);
  prefixed.disconnect();
}

async function rates(client) {
  const limiter = new RateLimiterRedis({ storeClient: client, points: 3, duration: 600 });
  for (const left of [2, 1, 0]) check((await limiter.consume("user")).remainingPoints, left);
  const refused = await limiter.consume("user").catch((answer) => answer);
  check(refused.remainingPoints, 0);
  check(refused.msBeforeNext > 0 && refused.msBeforeNext <= 600000, true);
  check((await limiter.reward("user", 2)).consumedPoints, 2);
  check((await limiter.penalty("user", 1)).consumedPoints, 3);
  check(await limiter.delete("user"), true);
  const short = new RateLimiterRedis({ storeClient: client, points: 1, duration: 1, keyPrefix: "s" });
  const queue = new RateLimiterQueue(short);
  // Each waits for the one before it.
  check(await Promise.all([queue.removeTokens(1), queue.removeTokens(1)]), [0, 0]);
}

run(async () => {
  const client = connect();
  await pipelines(client);
  await transactions(client);
  await scripts(client);
  await scans(client);
  await messages(client);
  await waiting(client);
  await bytes(client);
  await rates(client);
  client.disconnect();
});
