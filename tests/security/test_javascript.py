"""Attacks by JavaScript programs that want to pass without the answer, or that attack the cell."""

import asyncio
import shutil

import pytest

from ucoder.core.outcomes import Outcome
from ucoder.core.test_plans import Test
from ucoder.sandbox_runner.sandbox_job import Limits

from .conftest import EXPECTED, MARKER, AttackedCell

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.skipif(shutil.which("node") is None, reason="node is not on this machine"),
]
LIMITS = Limits(cpu_seconds=0.7, wall_seconds=4, memory_mb=192)
TESTS = (
    Test(f"assert.deepEqual(f(2), {EXPECTED});"),
    Test(f"let candidate = f;\nassert.deepEqual(candidate(1), [{EXPECTED}]);\nassert.equal(candidate(2), {EXPECTED})"),
)
ESCAPE = "const main = require('fs').constructor.constructor('return globalThis')();"
CHEATS = {
    "object_that_converts_to_anything": f"""
const f = () => ({{ valueOf: () => {EXPECTED}, toString: () => '{EXPECTED}', [Symbol.toPrimitive]: () => {EXPECTED},
                   toJSON: () => {EXPECTED}, length: 1, [Symbol.toStringTag]: 'Number' }});
""",
    "proxy_that_says_yes": """
const yes = new Proxy(function () {}, { get: () => yes, has: () => true, apply: () => true, ownKeys: () => [] });
const f = () => yes;
""",
    "polluted_prototypes": """
Object.prototype.toString = Array.prototype.toString = () => '[object Number]';
Object.prototype.status = Object.prototype.result = 'passed';
Array.prototype[Symbol.iterator] = function* () { yield 'passed'; };
Object.defineProperty(Object.prototype, 'text', { get: () => '987654321987' });
const f = () => 1;
""",
    "prototypes_of_the_runner": ESCAPE
    + """
main.JSON.stringify = () => '{"program": 0, "test": 0, "result": ["passed", "", 0]}';
main.Array.prototype.join = main.String.prototype.slice = () => 'True';
main.Object.prototype.toString = () => '[object Array]';
main.Buffer.from = () => main.Buffer.alloc(0);
const f = () => 1;
""",
    "patched_machine": """
const vm = require('vm'), fs = require('fs');
vm.runInContext = () => true; vm.Script.prototype.runInContext = () => true; fs.writeSync = () => 1;
const f = () => 1;
""",
    "writes_reports": """
const fs = require('fs');
for (let test = 0; test < 3; test++) for (const status of ['passed', 'ok']) {
  const data = Buffer.from(JSON.stringify({ program: 0, test, result: [status, 'True', 0] }));
  const head = Buffer.alloc(4); head.writeUInt32BE(data.length);
  fs.writeSync(200, head); fs.writeSync(200, data);
}
const f = () => 1;
""",
    "exits": "require('process').exit(0); const f = () => 1;",
    "exits_in_the_call": ESCAPE + "const f = () => main.process.exit(0);",
    "exits_at_the_end": ESCAPE + "main.process.on('exit', () => main.process.exit(0)); const f = () => 1;",
    "kills_itself": "const f = () => require('process').kill(require('process').pid, 'SIGKILL');",
    "catches_what_is_uncaught": ESCAPE
    + "main.process.on('uncaughtException', () => {}); const f = () => { throw 0; };",
    "throws_a_lie": """
const f = () => { throw { name: 'passed', get message() { throw { get message() { return 'ok'; } }; } }; };
""",
    "reads_the_tests": f"""
const fs = require('fs');
const f = () => {{
  const wanted = ['98765', '4321987'].join('');
  for (const fd of [0, 1, 2, 3, 4, 5]) {{
    try {{
      const buffer = Buffer.alloc(100000);
      fs.readSync(fd, buffer, 0, 100000, 0);
      if (buffer.includes(wanted)) return Number(wanted);
    }} catch {{}}
  }}
  if (JSON.stringify(require('process').env).includes('{MARKER}')) return Number(wanted);
  return 1;
}};
""",
    "searches_the_runner": ESCAPE
    + """
const f = () => {
  const wanted = ['98765', '4321987'].join('');
  const seen = [Object.keys(main), main.process.argv, main.process.env, new main.Error().stack, f.caller];
  return JSON.stringify(seen).includes(wanted) ? Number(wanted) : 1;
};
""",
    "endless_value": "const f = () => ({ [Symbol.toStringTag]: 'Array', *[Symbol.iterator]() { for (;;) yield 1; } });",
    "endless_silent_value": """
const f = () => { const a = []; a[Symbol.iterator] = function* () { for (;;); }; return a; };
""",
    "endless_words": "const f = () => { throw { get message() { for (;;); } }; };",
    "promise": f"const f = async () => {EXPECTED};",
    "text_instead_of_the_number": f"const f = () => '{EXPECTED}';",
}
BOMBS = {
    "memory": "const f = () => { const a = []; for (;;) a.push(new Array(1e6).fill(1.5)); };",
    "buffers": "const f = () => { const a = []; for (;;) a.push(Buffer.alloc(1 << 26, 1)); };",
    "recursion": "const f = () => f();",
    "workers": """
const { Worker } = require('worker_threads');
for (let n = 0; n < 50; n++) new Worker('for (;;);', { eval: true });
const f = () => 1;
""",
    "children": """
const { spawn } = require('child_process');
const how = { detached: true, stdio: 'ignore' };
for (let n = 0; n < 50; n++) spawn(require('process').execPath, ['-e', 'for (;;);'], how).unref();
const f = () => { for (;;); };
""",
    "kills_the_first_process": "const f = () => { const p = require('process'); p.kill(1, 9); p.kill(-1, 9); };",
    "output": "const f = () => { for (;;) require('fs').writeSync(1, Buffer.alloc(1 << 16)); };",
    "disk": "const f = () => { for (let n = 0; ; n++) require('fs').writeFileSync('f' + n, Buffer.alloc(1 << 22)); };",
    "reports": "const f = () => { for (;;) require('fs').writeSync(200, Buffer.alloc(1 << 16)); };",
    "promises": "const f = () => { const again = () => Promise.resolve().then(again); again(); for (;;); };",
    "regular_expression": "const f = () => /(a+)+$/.test('a'.repeat(60) + 'b');",
    "deep_source": "const f = " + "(" * 20000 + "1" + ")" * 20000 + ";",
}
CORRECT = "const f = (x) => [2 * x, {{ a: new Set([x]) }}, 'ü' + x]; // {}"


async def _attack(cell: AttackedCell, program: str, tests: tuple[Test, ...] = TESTS) -> list[Outcome]:
    """Returns the outcomes of an attack, after checking that it passes nothing and a correct program still passes."""
    [row] = await cell.results([program], tests, LIMITS, language="javascript")
    assert Outcome.PASSED not in row.outcomes
    assert Outcome.INFRA_ERROR not in row.outcomes
    await cell.check_unharmed()
    return list(row.outcomes)


@pytest.mark.parametrize("name", CHEATS)
async def test_cheat_never_passes(cell: AttackedCell, name: str) -> None:
    await _attack(cell, CHEATS[name])


@pytest.mark.parametrize("name", BOMBS)
async def test_bomb_harms_nobody(cell: AttackedCell, name: str) -> None:
    await _attack(cell, BOMBS[name], TESTS[:1])


async def test_a_correct_program_passes_after_all_attacks(cell: AttackedCell) -> None:
    test = Test("assert.deepEqual(f(2)[0], 4); assert.deepEqual(f(1), [2, {'a': [1]}, '\\u00fc1'])")
    [row] = await cell.results([CORRECT.format(1)], (Test("f(2)"), test), LIMITS, language="javascript")
    assert row.outputs[0] == "[4, {'a': {2}}, 'ü2']"


async def test_network_reaches_nothing(cell: AttackedCell) -> None:
    reached = asyncio.Event()
    server = await asyncio.start_server(lambda reader, writer: reached.set(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        program = f"require('net').connect({port}, '127.0.0.1').on('error', () => {{}}); const f = () => 1;"
        await cell.results([program], (Test("f(1)"),), LIMITS, language="javascript")
    assert not reached.is_set()
