// Runs one JavaScript program on calls and reports what they returned: the untrusted side, as program_runner.py is for
// Python. fork.py limits the time by ending this process; the tests that are left then run in another.
// Values are written in the text form of core/values, results and reports as in cell_protocol.py.
'use strict';
const fs = require('node:fs');
const vm = require('node:vm');

const job = JSON.parse(fs.readFileSync(0, 'utf8'));
const limits = job.limits;
const outputLimit = limits.output_kb * 1024;
const MAX_DEPTH = 80;

class TooLarge extends Error {}

function report(message) {
  const data = Buffer.from(JSON.stringify(message));
  const frame = Buffer.alloc(4 + data.length);
  frame.writeUInt32BE(data.length);
  data.copy(frame, 4);
  for (let at = 0; at < frame.length; ) at += fs.writeSync(200, frame, at);
}

function quoted(text) {
  const escaped = JSON.stringify(text).slice(1, -1).replaceAll('\\"', '"').replaceAll("'", "\\'");
  return `'${escaped.replaceAll('\\/', '/')}'`;
}

function number(value) {
  if (Number.isNaN(value)) return 'nan';
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf';
  if (Number.isInteger(value)) return BigInt(value).toString();
  return String(value).replace('e+', 'e');
}

function canonical(value) {
  const open = new Set();
  let left = outputLimit;
  // Counts a text against the output limit.
  const spend = (text) => {
    left -= text.length;
    if (left < 0) throw new TooLarge();
    return text;
  };
  const write = (item, depth) => {
    if (item === null || item === undefined) return spend('None');
    if (typeof item === 'boolean') return spend(item ? 'True' : 'False');
    if (typeof item === 'number') return spend(number(item));
    if (typeof item === 'bigint') return spend(item.toString());
    if (typeof item === 'string') return spend(quoted(item));
    const kind = Object.prototype.toString.call(item).slice(8, -1);
    if (typeof item !== 'object' || !['Array', 'Set', 'Map', 'Object'].includes(kind)) return spend(`<${kind}>`);
    if (depth >= MAX_DEPTH) return spend('<deep>');
    if (open.has(item)) return spend('<cycle>');
    open.add(item);
    const each = (items) => Array.from(items, (one) => (spend(', '), write(one, depth + 1)));
    const pairs = (items) => Array.from(items, ([key, one]) => `${write(key, depth + 1)}: ${write(one, depth + 1)}`);
    let text;
    if (kind === 'Array') text = `[${each(item).join(', ')}]`;
    else if (kind === 'Set') text = item.size ? `{${each(item).sort().join(', ')}}` : 'set()';
    else text = `{${pairs(kind === 'Map' ? item : Object.entries(item)).sort().join(', ')}}`;
    open.delete(item);
    return text;
  };
  return write(value, 0);
}

// The clock starts at the same instant for every test, as in fixed_time.py; other seeds start at other instants.
const START = (1704103445.5 + job.seed * (37 * 86400 + 11111)) * 1000;
const CLOCK = `{
  const Real = Date, shift = ${START} - Date.now();
  const now = () => Real.now() + shift;
  Date = new Proxy(Real, {
    construct: (target, given, kind) => Reflect.construct(target, given.length ? given : [now()], kind),
    apply: () => new Real(now()).toString(),
    get: (target, key) => (key === 'now' ? now : Reflect.get(target, key)),
  });
}`;

function run(code, call) {
  const started = process.hrtime.bigint();
  let status = 'ok';
  let text = '';
  try {
    const silent = { log() {}, error() {}, warn() {}, info() {} };
    const context = vm.createContext({ console: silent, require, Buffer, setTimeout, clearTimeout, structuredClone });
    vm.runInContext(CLOCK, context);
    code.runInContext(context);
    text = canonical(vm.runInContext(call, context));
  } catch (error) {
    status = 'exception';
    if (error instanceof TooLarge) status = 'output_limit';
    else if (error && error.name === 'RangeError' && /memory|length/.test(error.message)) status = 'out_of_memory';
    else text = `!${(error && error.name) || 'Error'}: ${String((error && error.message) || error).slice(0, 300)}`;
  }
  return [status, text, Number(process.hrtime.bigint() - started) / 1e9];
}

const [[key, source]] = job.programs;
let code = null;
let failed = null;
try {
  code = new vm.Script(source, { filename: 'program' });
} catch (error) {
  failed = ['exception', `!${error.name}: ${error.message}`, 0];
}
job.tests[0].forEach(([, call], test) => {
  report({ program: key, test, result: code ? run(code, call) : failed, peak_kb: 0 });
});
process.exit(0);
