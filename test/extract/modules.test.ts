import { relative } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { onlyGraph } from '../support/graphs.ts'
import { extractProject, type Files, shapeModel, shapeOf } from './project.ts'

async function expectShape(files: Files, shape: string, options = {}) {
  assert.is(shapeOf(await extractProject(files, options)), shape)
}

test('relative files: every ending, and folders', async () => {
  const imports = `
import { a } from './a'
import { b } from './b.ts'
import { c } from './c.js'
import { d } from './folder'
import e from './e.json' with { type: 'json' }
import { f } from './f.mjs'
import { g } from './g.mts'
import { h } from './h.js'
import { width, height as tall } from './sizes.json'`
  const files = {
    'm.model.ts': shapeModel(imports, '[a, b, c, d, e.size, f, g, h]', 'export const others = [width, tall]'),
    'a.ts': 'export const a: number = 1',
    'b.ts': 'export const b = 2 as const',
    'c.ts': 'export const c = 3',
    'folder/index.ts': "export { d } from './inner.ts'",
    'folder/inner.ts': 'export const d = 4',
    'e.json': '{ "size": 5 }',
    'f.mjs': 'export const f = 6',
    'g.mts': 'export const g = 7',
    'h.js': 'export var h = 8',
    'sizes.json': '{ "width": 1, "height": 2 }',
  }
  await expectShape(files, '1 2 3 4 5 6 7 8')
  const { files: read, root } = await extractProject(files)
  assert.equal(read.map((file) => relative(root, file)).sort(), Object.keys(files).sort())
})

test('re-exports: names, stars, namespaces, defaults', async () => {
  await expectShape(
    {
      'm.model.ts': shapeModel(
        "import five, { one, two, three, ns, four } from './all.ts'\nimport * as all from './all.ts'",
        '[one, two, three, ns.four, four, five, all.one]',
      ),
      'all.ts':
        "export * from './one.ts'\nexport { x as two, y as three } from './two.ts'\nexport * as ns from './four.ts'\nexport { four } from './four.ts'\nexport { default } from './five.ts'",
      'one.ts': 'export const one = 1; export default 99',
      'two.ts': 'const x = 2; let y = 0; y = 3; export { x, y }',
      'four.ts': 'export function make() { return 4 } export const four = make()',
      'five.ts': 'const value = 5; export { value as default }',
    },
    '1 2 3 4 4 5 1',
  )
})

test('tsconfig paths, inherited, with comments; the nearest one counts', async () => {
  await expectShape(
    {
      'm.model.ts': shapeModel(
        "import { a } from '@/a'\nimport { b } from 'exact'\nimport { c } from './inner/c.ts'\nimport { d } from 'lib/d.js'",
        '[a, b, c, d]',
      ),
      'tsconfig.json': '{ // comment\n "extends": "./configs/base", }',
      'configs/base.json':
        '{ "compilerOptions": { "baseUrl": "..", "paths": { "@/*": ["missing/*", "src/*"], "exact": ["./src/b.ts"] } } }',
      'src/a.ts': 'export const a = 1',
      'src/b.ts': 'export const b = 2',
      'lib/d.ts': 'export const d = 4',
      'inner/tsconfig.json': '{ "compilerOptions": { "paths": { "@/*": ["./own/*"] } } }',
      'inner/c.ts': "export { c } from '@/c'",
      'inner/own/c.ts': 'export const c = 3',
    },
    '1 2 3 4',
  )
})

test('package imports, self-reference and packages with exports', async () => {
  await expectShape(
    {
      'm.model.ts': shapeModel(
        "import { a } from '#a'\nimport { b } from '#deep/b'\nimport { c } from 'self/c'\nimport { d } from 'pkg'\nimport { e } from '@scope/pkg/parts/e'\nimport { f } from 'plain'\nimport { g } from 'typed'",
        '[a, b, c, d, e, f, g]',
      ),
      'package.json':
        '{ "name": "self", "type": "module", "imports": { "#a": { "browser": "./wrong.ts", "node": "./a.ts" }, "#deep/*": "./deep/*.ts" }, "exports": { "./c": "./c.ts" } }',
      'a.ts': 'export const a = 1',
      'deep/b.ts': 'export const b = 2',
      'c.ts': 'export const c = 3',
      'node_modules/pkg/package.json':
        '{ "name": "pkg", "type": "module", "exports": { ".": { "types": "./x.d.ts", "require": "./x.cjs", "import": "./x.js" } } }',
      'node_modules/pkg/x.js': "import { base } from './base.js'; export const d = base + 1",
      'node_modules/pkg/base.js': 'export const base = 3',
      'node_modules/@scope/pkg/package.json':
        '{ "name": "@scope/pkg", "type": "module", "exports": { "./parts/*": "./lib/*.mjs", "./parts/private": null } }',
      'node_modules/@scope/pkg/lib/e.mjs': 'export const e = 5',
      'node_modules/plain/package.json': '{ "name": "plain", "main": "./m.cjs", "module": "m.js" }',
      'node_modules/plain/m.js': 'export const f = 6',
      'node_modules/typed/package.json': '{ "name": "typed", "type": "module", "exports": "./src/index.ts" }',
      'node_modules/typed/src/index.ts': 'export const g: number = 7',
    },
    '1 2 3 4 5 6 7',
  )
})

test('an export that the package does not declare is not found', async () => {
  await expectShape(
    {
      'm.model.ts': shapeModel("import { e } from 'pkg/inner.js'", '[e]'),
      'node_modules/pkg/package.json': '{ "name": "pkg", "type": "module", "exports": { ".": "./x.js" } }',
      'node_modules/pkg/inner.js': 'export const e = 5',
    },
    'unresolved-import m.model.ts:4:63',
  )
})

test('CommonJS cannot be read, and says so where it is used', async () => {
  const files = {
    'm.model.ts': shapeModel("import cjs from 'cjs'\nimport old from 'old'", '[cjs.size]', 'export const unused = old'),
    'node_modules/cjs/package.json': '{ "name": "cjs", "main": "./x.js" }',
    'node_modules/cjs/x.js': 'module.exports = { size: 4 }',
    'node_modules/old/package.json': '{ "name": "old", "main": "./x.cjs" }',
    'node_modules/old/x.cjs': 'module.exports = { size: 4 }',
  }
  await expectShape(files, 'unreadable-module m.model.ts:5:63')
})

test('aliases of the bundler come first', async () => {
  const { root, ...extraction } = await extractProject(
    {
      'm.model.ts': shapeModel("import { a } from 'virtual/a'\nimport { b } from './b.ts'", '[a, b]'),
      'real/a.ts': 'export const a = 4',
      'b.ts': 'export const b = 5',
    },
    {
      resolve: async (specifier, importer) =>
        specifier === 'virtual/a' ? importer.replace('m.model.ts', 'real/a.ts') : undefined,
    },
  )
  assert.is(shapeOf(extraction), '4 5', root)
})

test('define replaces free names, not declared ones', async () => {
  const define = {
    'process.env.SIZE': '"8"',
    __WIDTH__: '2 + 1',
    'import.meta.env.DEPTH': '5',
    __CONFIG__: '{ "n": [6] }',
    shadowed: '100',
  }
  await expectShape(
    {
      'm.model.ts': shapeModel(
        '',
        '[Number(process.env.SIZE), __WIDTH__, import.meta.env.DEPTH, __CONFIG__.n[0], shadowed]',
        'const shadowed = 7\ndeclare const __WIDTH__: number, __CONFIG__: any',
      ),
    },
    '8 3 5 6 7',
    { define },
  )
})

test('cycles: functions are there, variables only after their module ran', async () => {
  const cycle = (use: string) => ({
    'm.model.ts': shapeModel("import { a } from './a.ts'", '[a]'),
    'a.ts':
      "import { twice } from './b.ts'\nexport const base = 3\nexport const a = twice(2)\nexport function plus(n: number) { return n + 1 }",
    'b.ts': `import { base, plus } from './a.ts'\n${use}`,
  })
  await expectShape(cycle('export const early = plus(1)\nexport const twice = (n: number) => n * 2 + early + base'), '9')
  await expectShape(
    cycle('const early = base\nexport const twice = (n: number) => n * 2 + early'),
    'used-before-declaration b.ts:2:15',
  )
})

test('types cost nothing: imports of types are not followed', async () => {
  await expectShape(
    {
      'm.model.ts': shapeModel(
        "import type { A } from './missing.ts'\nimport { type B, type C } from './gone.ts'\nimport { Tensor } from 'glowplug'\nexport type { D } from './nowhere.ts'",
        '[four]',
        'interface E extends Tensor {}\ntype F = A | B | C | E\ndeclare global { var x: F }\ndeclare function later(): void\nfunction g<T extends F>(x: T): T\nfunction g(x: any) { return x }\nconst four = g<number & any>(<any>4)!',
      ),
    },
    '4',
  )
})

test('the vocabulary as a namespace', async () => {
  const source =
    "import * as g from 'glowplug'\nconst { tensor: t } = g\nexport default g.model({ name: 'm', inputs: { x: t('f32', [2, 3]) }, forward: ({ x }) => ({ y: g['relu'](x) }) })"
  await expectShape({ 'm.model.ts': source }, '2 3')
})

test('what the model does not need makes no errors', async () => {
  await expectShape(
    {
      'm.model.ts': shapeModel(
        "import { createServer } from 'node:http'\nimport cjs from 'not-installed'\nimport { size } from './util.ts'",
        '[size]',
        `
export const server = createServer((request, response) => { response.end(String(process.uptime())) })
server.listen(Number(process.env.PORT ?? 80), () => console.log(\`up \${process.pid}\`))
export async function* watch() { for await (const x of cjs.stream()) yield x }
export const started = new Date(), id = Math.random(), pattern = /x/g, when = await cjs.ready()
if (process.argv[2] === 'serve') { await server.close() } else { for (const x of cjs) console.log(x) }
try { require('x') } catch (e) { console.error(e) }
class Service extends EventEmitter { @cjs.inject db; static instance = new Service() }
`,
      ),
      'util.ts':
        "import fs from 'node:fs'\nexport const size = 4\nexport const text = () => fs.readFileSync('x', 'utf8')\nconst all = fs.readdirSync('.')\nfor (const f of all) console.log(f)",
    },
    '4',
  )
})

test('top-level statements that build up a value count, in order', async () => {
  await expectShape(
    {
      'm.model.ts': shapeModel(
        '',
        'sizes',
        'const sizes: number[] = []\nfor (const n of [1, 2]) sizes.push(n)\nlet next = 3\nconst add = () => sizes.push(next++)\nadd()\nadd()\n{ sizes[0] += 10 }',
      ),
    },
    '11 2 3 4',
  )
})

const changed = async (before: string) =>
  shapeOf(
    await extractProject({
      'm.model.ts': shapeModel(
        "import * as lib from 'not-installed'\nimport * as own from './helper.ts'\nimport { helper } from './helper.ts'",
        '[options.size]',
        before,
      ),
      'helper.ts': 'export const shared = { size: 4 }\nexport const helper = (o: any) => { o.size = 5 }',
    }),
  )

test('what unknown code may have changed is unknown; what it only reads is not', async () => {
  const own = 'let options = { size: 4, inner: { deep: 1 } }\n'
  for (const reads of [
    'if (process.env.X) console.log(options.size, `${options.inner.deep}`)',
    'lib.serve({ port: options.size })',
    'if (process.env.X) { const copy = options.size + 1; lib.use(copy) }',
    'console.log(options)',
    'export const run = (n: number) => lib.go(options, n)',
    'for (const x of lib.all) { if (options.size > 3) lib.stop() }',
    'lib.on(() => { const options = { size: 1 }; options.size = 2 })',
  ]) {
    assert.is(await changed(own + reads), '4', reads)
  }
  for (const changes of [
    'lib.configure(options)',
    'lib.configure({ nested: [options] })',
    'if (process.env.X) options.size = 5',
    'if (process.env.X) options = { size: 6, inner: options.inner }',
    'const alias = options\nif (process.env.X) alias.size = 5',
    'const alias = { o: options }\nif (process.env.X) helper(alias.o)',
    'while (lib.next()) options.size++',
    'lib.each(() => { options.size = 9 })',
    'const change = () => { options.size = 1 }\nif (process.env.X) change()',
    'function f() { if (process.env.X) return; options.size = 8 }\nf()',
    'switch (lib.mode) { case 1: Object.assign(options, { size: 7 }) }',
    'try { if (process.env.X) throw 1 } catch { options.size = 7 }',
    'lib.target = options',
    'new lib.Thing(options)',
    ';[options].forEach(lib.each)',
    'process.env.X && (options.size = 5)',
    'options.size = process.env.X ? 1 : 2',
    'async function main() { options.size = 5; await 0 }\nmain()',
    'await lib.configure(options)',
    'for await (const x of lib.all(options)) {}',
    '@lib.register(options) class A {}',
    'namespace N { options.size = 5 }',
    'function f(o: any) { if (process.env.X) return; o.size = 8 }\nf(options)',
    'class A { o = options; set() { if (process.env.X) this.o.size = 8 } }\nnew A().set()',
    'class A { constructor(o: any) { if (process.env.X) return {} as any; o.size = 8 } }\nnew A(options)',
    'const f = (o: any, set = (p: any) => { p.size = 1 }) => process.env.X && set(o)\nf(options)',
    'const all = new Map([[1, options]])\nif (process.env.X) for (const [, o] of all) o.size = 1',
    'lib.each`${options}`',
    'options = own.shared\nlib.configure(own)',
    'lib?.[0]?.(options)',
    'const { change = (options.size = 5) } = lib',
    'const key = process.env.X\n;(options as any)[key!] = 5',
    'if (process.env.X) delete (options as any).size',
    'try { lib.call(); throw 1 } catch (e) { if (e.code) options.size = 1 }',
    ';({ size: options.size } = lib)',
  ]) {
    assert.match(await changed(own + changes), /changed-by-unknown|unknown-global|unresolved-import/, changes)
  }
})

test('models by default and by name, wrapped and made by functions; offsets are those of the expression', async () => {
  const source = `import { model, relu, tensor } from 'glowplug'
const make = (name: string, size = 4) => model({ name, inputs: { x: tensor('f32', [size]) }, forward: ({ x }) => ({ y: relu(x) }) })
const inner = make('a', 1)
export const b = make('b', 2) satisfies object, c = /* c */ (make('c', 3)) as any
export { inner as renamed }
const last = make('d', 5)
export default last
`
  const { models, diagnostics } = await extractProject({ 'm.model.ts': source })
  assert.equal(diagnostics, [])
  assert.equal(
    models.map(({ exportName, model, start, end }) => [exportName, model.name, source.slice(start, end)]),
    [
      ['renamed', 'a', "make('a', 1)"],
      ['b', 'b', "make('b', 2) satisfies object"],
      ['c', 'c', "(make('c', 3)) as any"],
      ['default', 'd', "make('d', 5)"],
    ],
  )
})

test('a model that hangs on an unknown value is an error, not a file without models', async () => {
  const source = "import { model } from 'glowplug'\nexport default process.env.BIG ? model({} as any) : model({} as any)"
  assert.is(shapeOf(await extractProject({ 'm.model.ts': source })), 'unknown-global m.model.ts:2:16')
})

test('every operation knows its call and the helpers above it', async () => {
  const { models } = await extractProject({
    'm.model.ts':
      "import { model, tensor } from 'glowplug'\nimport { twice } from './lib/layers.ts'\nexport default model({\n  name: 'm', inputs: { x: tensor('f32', [1]) },\n  forward: ({ x }) => ({ y: twice(x) }),\n})",
    'lib/layers.ts':
      "import { exp } from 'glowplug'\nconst once = (x: any) => exp(x)\nexport const twice = (x: any) => [1, 2].reduce((y) => once(y), x)",
  })
  const graph = onlyGraph(models[0]!.model)
  const location = graph.locations.get(graph.outputs[0]!.value)![0]!
  const show = (s: { file: string; line: number; column: number; endColumn?: number }) =>
    `${s.file}:${s.line}:${s.column}-${s.endColumn}`
  assert.ok(location.kind === 'source')
  assert.equal(
    [show(location.span), ...location.calls.map(show)],
    ['lib/layers.ts:2:26-32', 'lib/layers.ts:3:55-62', 'lib/layers.ts:3:34-66', 'm.model.ts:5:29-37'],
  )
})

test('all mistakes of a file are told in one build, each once', async () => {
  const body = `const a = relu(x, 1); const b = matmul(x, x)
    const c = softmax(b, { axis: 9 }); const d = x.foo.bar; const e = missing(d)
    for (let i = 0; i < 3; i++) add(b, softmax(x, { axes: 1 } as any))
    return { y: add(c, e), z: exp(undefined as any) }`
  const { diagnostics, models } = await extractProject({
    'm.model.ts': `import { add, exp, matmul, model, relu, softmax, tensor } from 'glowplug'
export default model({ name: 'm', inputs: { x: tensor('f32', [1, 4]) }, forward({ x }: any) {
    ${body}
} })`,
  })
  assert.is(models.length, 0)
  assert.equal(
    diagnostics.map((d) => `${d.code} ${d.span?.line}:${d.span?.column}`),
    ['shape-mismatch 3:37', 'undefined-property 4:50', 'undefined-name 4:71', 'bad-attribute 5:40', 'bad-operand 6:31'],
  )
})

test.run()
