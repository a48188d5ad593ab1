import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { renderDiagnostics } from '../../compiler/diagnostics/render.ts'
import { extractProject } from './project.ts'

/** A model whose `forward` starts with `body`, in a file that starts with `before`. */
const hostile = (body: string, before = '', name = "'m'") =>
  `import { model, relu, tensor } from 'glowplug'
${before}
export default model({ name: ${name}, inputs: { x: tensor('f32', [1]) }, forward({ x }: any) {
${body}
return { y: relu(x) } } })
`

/** Generous, for a busy machine: budgets are counted in steps, a second is what they are worth on a quiet one. */
const patience = 6_000

async function diagnose(source: string) {
  const started = performance.now()
  const { diagnostics, models } = await extractProject({ 'm.model.ts': source })
  const elapsed = performance.now() - started
  assert.ok(elapsed < patience, `${elapsed.toFixed(0)} ms for ${source.slice(0, 300)}`)
  return { codes: diagnostics.map((d) => d.code), diagnostics, models }
}

const endless: Readonly<Record<string, readonly string[]>> = {
  'step-limit': [
    'while (true) {}',
    'for (;;) [1, 2, 3].map((x) => x * 2)',
    'for (;;) JSON.stringify([1, 2, 3])',
    'for (;;) { try { null.x } catch {} }',
    'for (;;) { try { throw 1 } catch {} finally {} }',
    'for (;;) process.env',
    "const a = 'x'.repeat(1e6); for (;;) a.indexOf('yx')",
    'const a = Array.from({ length: 1e5 }, (_, i) => i); for (;;) a.indexOf(-1)',
    'const f = () => { for (;;) new (class { x = 1 })() }; f()',
    'for (;;) relu(x)',
    'let y = x; for (;;) y = relu(y)',
    'for (let i = 5; ; i++) tensor("f32", [-i])',
    'relu(new Array(1e5).fill(new Array(1e5)))',
    'const big = Object.fromEntries(Array.from({ length: 1e5 }, (_, i) => ["k" + i, i])); for (;;) for (const k in big) break',
    "const a = 'x'.repeat(16e6), b = 'x'.repeat(16e6); for (;;) a === b",
    'Array.from({ length: 9e5 }, (_, i) => -i).sort()',
    'outer: for (;;) for (;;) continue outer',
    'const s = new Set([0]); for (const x of s) { s.delete(x); s.add(x + 1) }',
  ],
  'depth-limit': [
    'const f = (n) => f(n + 1) + 1; f(0)',
    'const f = (n) => [n].map((x) => f(x + 1)); f(0)',
    'const o = { get a() { return this.a } }; o.a',
    'const o = { set a(v) { this.a = v } }; o.a = 1',
    'const o = { toString() { return `${o}` } }; `${o}`',
    'class A { constructor() { new A() } } new A()',
    'class A { x = new A() } new A()',
    'const a = []; a.push(a); a.join()',
    'function a() { return b() } function b() { return a() } a()',
    'const f = (x = f()) => x; f()',
    'const f = ([x] = [f()]) => x; f()',
    'let a = []; for (let i = 0; i < 1e5; i++) a = [a]; a.flat(Infinity)',
    'let a = []; for (let i = 0; i < 1e5; i++) a = [a]; setTimeout(a)',
  ],
  'size-limit': [
    'new Array(1e9).fill(0)',
    'const a = Array.from({ length: 1e4 }, () => "x"); String(a.map(() => a))',
    "let s = 'x'; while (true) s += s",
    'let a = [1]; while (true) a = [...a, ...a]',
    '2n ** 100000000n',
    'let b = 3n; while (true) b = b * b',
    'let b = 1n; while (true) b <<= 60000n',
    "BigInt('9'.repeat(1e6))",
    "'x'.padStart(1e9)",
    'const a = []; a[4e9] = 1; a.length = 4e9',
    'Array.from({ length: 1e8 }, (_, i) => i)',
    "'ab'.repeat(7e6).split('')",
    "let s = 'a'; for (;;) s = s.replaceAll('a', 'aaaaaaaa')",
    "'x'.repeat(2e6).replaceAll('', 'yyyyyyyyyyyyyyyy')",
    "new Array(9e5).fill('x'.repeat(100)).join('')",
  ],
}

for (const [code, bodies] of Object.entries(endless)) {
  test(`${code}: whatever does not end is told`, async () => {
    for (const body of bodies) {
      const { codes } = await diagnose(hostile(body))
      assert.ok(codes.includes(code as never), `${body}: ${codes.join(' ')}`)
    }
  })
}

test('nested text does not break the reader', async () => {
  const long = (count: number, open: string, close = '') => `const v = ${open.repeat(count)}1${close.repeat(count)}`
  for (const source of [
    long(3000, '(', ')'),
    long(3000, '[', ']'),
    long(3000, '-+'),
    long(3000, '{ a: ', '}').replace('= {', '= {'),
    long(2000, '() => '),
    `const v = ${'a?.'.repeat(3000)}a`,
  ]) {
    const { codes } = await diagnose(hostile('v', source))
    assert.ok(codes.includes('depth-limit'), `${source.slice(0, 40)}: ${codes.join(' ')}`)
  }
  const spine = await diagnose(hostile('if (v !== 20000) throw v', `const v = ${new Array(20000).fill('1').join(' + ')}`))
  assert.equal(spine.codes, [])
})

test('recursion of a thousand short calls, and of hundreds of long ones, is no problem', async () => {
  const short = 'const f = (n) => n === 0 ? 0 : 1 + f(n - 1); if (f(950) !== 950) throw new Error("short")'
  const long =
    'function g(n) { if (n > 0) { for (const k of [1]) { const [q] = [g(n - k)].map((z) => z + 1); return q } } return 0 } if (g(200) !== 200) throw new Error("long")'
  const { codes, models } = await diagnose(hostile(`${short}\n${long}`))
  assert.equal(codes, [])
  assert.is(models.length, 1)
})

test('nothing of the host is run or reached', async () => {
  const proof = join(process.env.GLOWPLUG_ROOT!, 'dist', 'hostile-proof')
  const attacks = [
    'process.exit(3)',
    `require('node:fs').writeFileSync(${JSON.stringify(proof)}, '')`,
    `eval("require('node:fs').writeFileSync(${JSON.stringify(proof).replaceAll('"', "'")}, '')")`,
    "new Function('return process')().exit(3)",
    "fetch('http://127.0.0.1:1/')",
    'globalThis.polluted = 1',
    "({}).constructor.constructor('return process')().exit(3)",
    "[].map.constructor('return process')().exit(3)",
    "(() => 1).constructor('return process')().exit(3)",
    "relu.constructor('return process')().exit(3)",
    "class A {} A.constructor('return process')().exit(3)",
    "new Map().get.call.constructor('return process')()",
    "''['constructor']['constructor']('return process')()",
    "x.dtype.constructor.constructor('return process')()",
    'x.__proto__.polluted = 1',
    "({})['__proto__'].polluted = 1",
    'const o: any = {}; o.__proto__ = { polluted: 1 }; relu(o.polluted)',
    'const o: any = { __proto__: { polluted: 1 } }; relu(o.polluted)',
    'Object.prototype.polluted = 1',
    'Object.setPrototypeOf({}, { polluted: 1 })',
    "Object.defineProperty(x, 'polluted', { value: 1 })",
    'Reflect.construct(Array, [])',
    'new Proxy({}, {}).a',
    'Array.prototype.map = () => 1',
    "({}).__defineGetter__('a', () => 1)",
    'Error.prepareStackTrace = () => 1; new Error().stack.x',
    'this.constructor.constructor("return process")()',
    "import('node:fs').then((fs: any) => fs.writeFileSync('x', ''))",
    'setTimeout(() => process.exit(3))',
    'queueMicrotask(() => process.exit(3))',
    "import.meta.constructor.constructor('return process')()",
  ]
  for (const attack of attacks) {
    const { codes } = await diagnose(hostile(attack))
    assert.ok(codes.length > 0, `${attack} was not told`)
  }
  assert.is((globalThis as { polluted?: unknown }).polluted, undefined)
  assert.is(({} as { polluted?: unknown }).polluted, undefined)
  assert.not(existsSync(proof))
})

test('an own property may be called anything, and reaches nothing', async () => {
  const body = `
const parsed = JSON.parse('{"__proto__": {"polluted": 1}, "constructor": 5, "toString": 6}')
if (parsed.__proto__.polluted !== 1 || parsed.constructor !== 5 || Object.keys(parsed).length !== 3) throw new Error('own')
const copy = { ...parsed }
if (copy.polluted !== undefined || Object.entries(copy)[0][0] !== '__proto__') throw new Error('copy')
const map: any = { hasOwnProperty: 1, valueOf: 2 }
if (map.hasOwnProperty + map.valueOf !== 3) throw new Error('shadow')`
  const { codes } = await diagnose(hostile(body))
  assert.equal(codes, [])
})

test('code in names stays text', async () => {
  const text = 'a\\n*/ process.exit(1) /*\\u2028${1}\\u001b[31m`'
  const { diagnostics } = await diagnose(hostile('', '', `'${text}'`))
  assert.equal(
    diagnostics.map((d) => d.code),
    ['bad-name'],
  )
  const rendered = renderDiagnostics(diagnostics, () => 'one\ntwo\n\u001b[31mthree')
  assert.not.match(rendered.replaceAll('\n', ''), /[\p{Cc}\p{Zl}\p{Zp}]/u)
})

test('damaged and odd files are diagnostics', async () => {
  const imports = [
    './self.ts',
    './bad.json',
    './broken.ts',
    './folder',
    './binary.ts',
    '',
    '/',
    '..',
    '../'.repeat(50),
    '#',
    '@',
    'http://x/y.js',
    'data:text/javascript,1',
    'file:///nowhere.ts',
  ]
  const files = {
    'self.ts': "import './self.ts'\nexport * from './self.ts'\nexport { a as b, b as a } from './self.ts'",
    'bad.json': '{ "a": ',
    'broken.ts': 'export const = 1',
    'folder/x.txt': '',
    'binary.ts': '\u0000\uffff\ud800 export',
    'package.json': '{ nonsense',
    'tsconfig.json': '{ "extends": "./tsconfig.json", "compilerOptions": { "paths": 5 } ',
  }
  for (const specifier of imports) {
    const source = `import { model, relu, tensor } from 'glowplug'\nimport * as all from '${specifier}'\nimport { a } from '${specifier}'\nexport default model({ name: 'm', inputs: { x: tensor('f32', [all.a, a]) }, forward: ({ x }) => ({ y: relu(x) }) })`
    const { diagnostics } = await extractProject({ ...files, 'm.model.ts': source })
    assert.ok(diagnostics.length > 0, specifier)
  }
  for (const source of [
    '',
    '\ufeff',
    '#!/usr/bin/env node\n',
    '\u0000',
    "import 'glowplug'",
    'export default 5',
    'export default await 1',
  ]) {
    const { diagnostics, models } = await extractProject({ 'm.model.ts': source })
    assert.is(models.length, 0)
    assert.ok(diagnostics.length > 0, JSON.stringify(source))
  }
})

test.run()
