// BullMQ with the daemon as its queue.
//
// Workers, results, progress, retries with backoff, priorities, delayed jobs,
// deduplication, flows of parents and children, a schedule, a rate limit, events,
// counts and cleaning; then a queue that a kill of the daemon interrupts.

"use strict";

const { Queue, QueueEvents, Worker, FlowProducer } = require("bullmq");
const { PORT, check, killAndRestartDaemon, run, until } = require("./application.js");

const connection = { host: "127.0.0.1", port: PORT, db: 4, maxRetriesPerRequest: null };
// Connections break while the daemon is down, and mend by themselves.
const quiet = (emitter) => emitter.on("error", () => {});

async function withQueue(name, work, test, options = {}) {
  const queue = quiet(new Queue(name, { connection }));
  queue.setMaxListeners(0);
  const events = quiet(new QueueEvents(name, { connection }));
  await events.waitUntilReady();
  const worker = quiet(new Worker(name, work, { connection, ...options }));
  await test({ queue, events, worker });
  await worker.close();
  await events.close();
  await queue.close();
}

async function results() {
  const progress = [];
  const work = async (job) => {
    await job.updateProgress(50);
    await job.log("at work");
    return job.data.left + job.data.right;
  };
  await withQueue("sums", work, async ({ queue, events }) => {
    events.on("progress", ({ data }) => progress.push(data));
    const job = await queue.add("sum", { left: 2, right: 3 });
    check(await job.waitUntilFinished(events, 60000), 5);
    const many = await queue.addBulk(
      Array.from({ length: 50 }, (_, n) => ({ name: "sum", data: { left: n, right: n } })),
    );
    const sums = await Promise.all(many.map((one) => one.waitUntilFinished(events, 60000)));
    check(sums, Array.from({ length: 50 }, (_, n) => 2 * n));
    await until("progress of all", () => progress.length === 51);
    check((await queue.getJobLogs(job.id)).logs, ["at work"]);
    check(await queue.getJobCountByTypes("completed"), 51);
    check((await queue.clean(0, 1000, "completed")).length, 51);
    check(await queue.getJobCounts("completed", "wait", "active", "failed"), {
      completed: 0,
      wait: 0,
      active: 0,
      failed: 0,
    });
  }, { concurrency: 4 });
}

async function retriesAndDelays() {
  const tries = {};
  const times = {};
  const work = async (job) => {
    tries[job.name] = (tries[job.name] ?? 0) + 1;
    times[job.name] = Date.now();
    if (job.name === "third time" && tries[job.name] < 3) throw new Error("not yet");
    if (job.name === "never") throw new Error("on purpose");
    return tries[job.name];
  };
  await withQueue("tries", work, async ({ queue, events }) => {
    const backoff = { type: "exponential", delay: 50 };
    const job = await queue.add("third time", {}, { attempts: 5, backoff });
    check(await job.waitUntilFinished(events, 60000), 3);
    const failing = await queue.add("never", {}, { attempts: 2, backoff: 20 });
    const message = await failing.waitUntilFinished(events, 60000).catch((error) => error.message);
    check(message, "on purpose");
    check(tries.never, 2);
    check(await failing.getState(), "failed");
    await failing.retry();
    await until("the third failure", () => tries.never === 3);

    const added = Date.now();
    const delayed = await queue.add("delayed", {}, { delay: 700 });
    check(await delayed.getState(), "delayed");
    await delayed.waitUntilFinished(events, 60000);
    check(times.delayed - added >= 690, true);

    const first = await queue.add("once", {}, { delay: 1500, deduplication: { id: "one" } });
    const second = await queue.add("once", {}, { delay: 1500, deduplication: { id: "one" } });
    check(second.id, first.id);
    await first.waitUntilFinished(events, 60000);
    check(tries.once, 1);
  });
}

async function order() {
  const seen = [];
  const queue = quiet(new Queue("order", { connection }));
  for (const priority of [3, 1, 2]) await queue.add(`priority ${priority}`, {}, { priority });
  await queue.add("plain", {});
  await queue.pause();
  check(await queue.isPaused(), true);
  await queue.resume();
  await queue.close();
  await withQueue("order", async (job) => seen.push(job.name), async () => {
    await until("all four", () => seen.length === 4);
    check(seen, ["plain", "priority 1", "priority 2", "priority 3"]);
  });
}

async function flows() {
  const work = async (job) => {
    if (job.name === "part") return job.data.value;
    const parts = Object.values(await job.getChildrenValues());
    return parts.reduce((sum, value) => sum + value, 0);
  };
  await withQueue("flow", work, async ({ queue, events }) => {
    const flow = quiet(new FlowProducer({ connection }));
    const tree = await flow.add({
      name: "whole",
      queueName: "flow",
      children: Array.from({ length: 10 }, (_, value) => ({
        name: "part",
        queueName: "flow",
        data: { value },
      })),
    });
    check(await tree.job.waitUntilFinished(events, 60000), 45);
    check((await tree.job.getDependenciesCount()).processed, 10);
    await queue.obliterate({ force: true });
    await flow.close();
  });
}

async function schedules() {
  let ticks = 0;
  await withQueue("schedule", async () => (ticks += 1), async ({ queue }) => {
    await queue.upsertJobScheduler("tick", { every: 200 });
    await until("three ticks", () => ticks >= 3);
    check((await queue.getJobSchedulers()).length, 1);
    check(await queue.removeJobScheduler("tick"), true);
    check(await queue.getJobSchedulersCount(), 0);
  });
}

async function limits() {
  const times = [];
  const limiter = { max: 2, duration: 300 };
  await withQueue("limited", async () => times.push(Date.now()), async ({ queue, events }) => {
    const jobs = [];
    for (let number = 0; number < 5; number += 1) jobs.push(await queue.add("job", {}));
    await Promise.all(jobs.map((job) => job.waitUntilFinished(events, 60000)));
    check(times.length, 5);
    check(times[4] - times[0] >= 550, true);
  }, { limiter });
}

async function survivesAKill() {
  const jobs = 400;
  const done = new Set();
  const work = async (job) => {
    done.add(job.data.number);
    await new Promise((resolve) => setTimeout(resolve, 5));
    return job.data.number;
  };
  const options = { concurrency: 2, lockDuration: 3000, stalledInterval: 1000, maxStalledCount: 10 };
  await withQueue("killed", work, async ({ queue }) => {
    await queue.addBulk(
      Array.from({ length: jobs }, (_, number) => ({ name: "job", data: { number } })),
    );
    await until("a part done", () => done.size > jobs / 4);
    await killAndRestartDaemon();
    check(done.size < jobs, true);
    await until("all done", async () => (await queue.getCompletedCount()) === jobs);
    check(done.size, jobs);
    const completed = await queue.getCompleted(0, jobs);
    const returned = completed.map((job) => job.returnvalue).sort((a, b) => a - b);
    check(returned, Array.from({ length: jobs }, (_, number) => number));
    check(await queue.getJobCounts("wait", "active", "failed", "delayed"), {
      wait: 0,
      active: 0,
      failed: 0,
      delayed: 0,
    });
  }, options);
}

run(async () => {
  await results();
  await retriesAndDelays();
  await order();
  await flows();
  await schedules();
  await limits();
  await survivesAKill();
});
