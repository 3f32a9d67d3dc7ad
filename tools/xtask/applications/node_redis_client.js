// node-redis in RESP3: typed replies, its cache in the client, transactions, scripts
// and functions, pub/sub on the same connection, a pool, scans, fields that expire.

"use strict";

const redis = require("redis");
const { PORT, check, run, until } = require("./application.js");

const options = { socket: { host: "127.0.0.1", port: PORT }, database: 6, RESP: 3 };
const connect = (more = {}) => redis.createClient({ ...options, ...more }).connect();

async function types(client) {
  check(await client.hSet("user", { name: "Ada", born: "1815" }), 2);
  check({ ...(await client.hGetAll("user")) }, { name: "Ada", born: "1815" });
  await client.zAdd("scores", [{ value: "a", score: 1.5 }, { value: "b", score: 2 }]);
  check(await client.zScore("scores", "a"), 1.5);
  check(await client.zRangeWithScores("scores", 0, -1), [
    { value: "a", score: 1.5 },
    { value: "b", score: 2 },
  ]);
  check(await client.sAdd("letters", ["a", "b"]), 2);
  check(new Set(await client.sMembers("letters")), new Set(["a", "b"]));
  check(await client.hExpire("user", "born", 100), [1]);
  check((await client.hTTL("user", ["born", "name"]))[1], -1);
  check(await client.set("new", "x", { condition: "NX", expiration: { type: "EX", value: 100 } }), "OK");
  check(await client.set("new", "y", { condition: "NX" }), null);
  const added = await client.geoAdd("places", { longitude: 13.4, latitude: 52.5, member: "Berlin" });
  check(added, 1);
  check((await client.geoSearch("places", "Berlin", { radius: 1, unit: "km" })), ["Berlin"]);
}

async function cached(writer) {
  const client = await connect({ clientSideCache: { ttl: 0, maxEntries: 100, evictPolicy: "LRU" } });
  await writer.set("cached", "one");
  check(await client.get("cached"), "one");
  check(await client.get("cached"), "one");
  await writer.set("cached", "two");
  await until("the invalidation", async () => (await client.get("cached")) === "two");
  client.destroy();
}

async function transactions(client) {
  check(await client.multi().set("t", 1).incr("t").get("t").exec(), ["OK", 2, "2"]);
  const other = await connect();
  await other.watch("t");
  await client.set("t", "changed");
  const message = await other.multi().set("t", "mine").exec().catch((error) => error.constructor.name);
  check(message, "WatchError");
  other.destroy();
}

async function scripts() {
  const client = await connect({
    scripts: {
      double: redis.defineScript({
        NUMBER_OF_KEYS: 1,
        SCRIPT: "return redis.call('INCRBY', KEYS[1], redis.call('GET', KEYS[1]))",
        parseCommand: (parser, key) => parser.pushKey(key),
        transformReply: (reply) => reply,
      }),
    },
  });
  await client.set("number", 21);
  check(await client.double("number"), 42);
  const library = `#!lua name=words
    redis.register_function('greet', function(keys, arguments) return 'hello ' .. arguments[1] end)`;
  check(await client.functionLoad(library, { REPLACE: true }), "words");
  check(await client.fCall("greet", { keys: [], arguments: ["you"] }), "hello you");
  client.destroy();
}

async function messages(client) {
  // With RESP3 a client that subscribed goes on with other commands.
  const subscriber = await connect();
  const heard = [];
  await subscriber.subscribe("news", (text, channel) => heard.push([channel, text]));
  await subscriber.sSubscribe("part", (text, channel) => heard.push([channel, text]));
  check(await subscriber.set("by a subscriber", "x"), "OK");
  check(await client.publish("news", "hello"), 1);
  check(await client.sPublish("part", "of it"), 1);
  await until("both messages", () => heard.length === 2);
  check(heard.sort(), [["news", "hello"], ["part", "of it"]]);
  await subscriber.unsubscribe("news");
  check(await client.publish("news", "to nobody"), 0);
  subscriber.destroy();
}

async function many(client) {
  const pool = await redis.createClientPool(options, { minimum: 2, maximum: 8 }).connect();
  const writes = Array.from({ length: 2000 }, (_, n) => pool.set(`many:${n}`, `value ${n}`));
  check((await Promise.all(writes)).every((reply) => reply === "OK"), true);
  const found = new Set();
  for await (const keys of client.scanIterator({ MATCH: "many:*", COUNT: 200 })) {
    for (const key of keys) found.add(key);
  }
  check(found.size, 2000);
  check(await client.mGet(["many:3", "none", "many:5"]), ["value 3", null, "value 5"]);
  check(await pool.execute((one) => one.unlink([...found])), 2000);
  pool.destroy();
}

run(async () => {
  const client = await connect();
  await types(client);
  await cached(client);
  await transactions(client);
  await scripts();
  await messages(client);
  await many(client);
  client.destroy();
});
