// What the tests of Node.js applications share; application.py says the same of Python.
//
// The task that runs a test names the daemon's port in THERMOCLINE_PORT. A line
// `restart` on standard output asks for a kill of the daemon and its restart on the
// same data and port; a line on standard input says that it answers again.

"use strict";

const assert = require("node:assert/strict");
const readline = require("node:readline");

const PORT = Number(process.env.THERMOCLINE_PORT);
const LIMIT_MS = 60000;
let checks = 0;

function check(got, expected) {
  assert.deepEqual(got, expected);
  checks += 1;
}

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// Waits until the condition holds, and gives what it gave.
async function until(what, condition) {
  const deadline = Date.now() + LIMIT_MS;
  for (;;) {
    const found = await condition();
    if (found) return found;
    assert(Date.now() < deadline, `this never came: ${what}`);
    await sleep(20);
  }
}

async function killAndRestartDaemon() {
  const lines = readline.createInterface({ input: process.stdin });
  const answered = new Promise((resolve) => lines.once("line", resolve));
  console.log("restart");
  check(await answered, "restarted");
  lines.close();
}

// Runs a test; the process ends with it, whatever connections are left.
function run(test) {
  const limit = setTimeout(() => {
    console.error("the test does not end");
    process.exit(1);
  }, 2 * LIMIT_MS);
  test().then(
    () => {
      clearTimeout(limit);
      console.log(`${checks} checks passed`);
      process.exit(0);
    },
    (error) => {
      console.error(error);
      process.exit(1);
    },
  );
}

module.exports = { PORT, check, killAndRestartDaemon, run, until };
