import { transformSync } from 'esbuild'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { transformModule } from '../../plugin/extract/index.ts'
import { compose, encodeVlq } from '../../plugin/extract/transform/map.ts'
import { extractProject, type Files } from './project.ts'

const header = "import { open } from 'glowplug/runtime'"

/** The model file after its models have been replaced, without empty lines, as JavaScript. */
async function transform(source: string, files: Files = {}) {
  const extraction = await extractProject({ ...files, 'm.model.ts': source })
  assert.equal(
    extraction.diagnostics.filter((d) => d.severity === 'error' && d.code !== 'weights-unreadable'),
    [],
  )
  const result = transformModule(source, 'm.model.ts', extraction, {
    header,
    expressionFor: ({ model }) => `open('${model.name}')`,
  })
  return {
    ...result,
    text: result.code
      .split('\n')
      .filter((line) => line.trim() !== '')
      .join('\n'),
  }
}

const spec = (name: string, body = 'y: relu(x)') =>
  `model({ name: '${name}', inputs: { x: tensor('f32', [4]) }, forward: ({ x }) => ({ ${body} }) })`

test('the DSL, weights and helpers fall out; other exports stay', async () => {
  const { text } = await transform(
    `// A face detector.
import { add, model, relu, tensor, weights } from 'glowplug'
import { resolve } from 'node:path'
import { block } from './helper.ts'
import { labels, type Label } from './labels.ts'

const w = weights(new URL('./face.safetensors', import.meta.url), { ignore: ['*'] })
const file = new URL('./other.safetensors', import.meta.url)
const layers: unknown[] = []
for (let i = 0; i < 3; i++) layers.push(i)
function unused() { return w }
export default ${spec('face', 'y: block(relu(x))')}
/** Stays. */
export const names: readonly Label[] = labels.map((label) => label.toUpperCase())
export function path() { return resolve(suffix, '.') }
const suffix = 'x'
`,
    {
      'helper.ts': "import { exp } from 'glowplug'\nexport const block = (x: any) => exp(x)",
      'labels.ts': "export type Label = string\nexport const labels = ['a']",
    },
  )
  assert.fixture(
    text,
    `// A face detector.
import { open } from 'glowplug/runtime'
import { resolve } from 'node:path'
import { labels } from './labels.ts'
const layers: unknown[] = []
for (let i = 0; i < 3; i++) layers.push(i)
export default open('face')
/** Stays. */
export const names: readonly Label[] = labels.map((label) => label.toUpperCase())
export function path() { return resolve(suffix, '.') }
const suffix = 'x'`,
  )
})

test('several models, in whatever way they are exported', async () => {
  const { text } = await transform(`import { model, relu, tensor } from 'glowplug'
const make = (name: string) => ${spec("' + name + '").replace("'' + name + ''", 'name')}
const a = make('a')
export const b = make('b'), c: object = ${spec('c')} satisfies object, size = 4
export { a as first }
const last = ${spec('last')}
export default last
`)
  assert.fixture(
    text,
    `${header}
const a = open('a')
export const b = open('b'), c: object = open('c'), size = 4
export { a as first }
const last = open('last')
export default last`,
  )
})

test('what acts without the DSL stays, what acts for the model alone goes', async () => {
  const { text } = await transform(
    `import 'side-effect'
import type { Tensor } from 'glowplug'
import * as g from 'glowplug'
import def, { one, two as three } from './lib.ts'
import data from './data.json' with { type: 'json' }
const { model, relu, tensor } = g
const shapes = new Map()
for (const name of ['a']) shapes.set(name, g.constant('f32', [1], [1]))
export default ${spec('m')}
console.log(three)
type T = Tensor
export type { T }
export const registry: string[] = []
for (const name of shapes.keys()) registry.push(name)
`,
    { 'lib.ts': 'export default 1; export const one = 1, two = 2', 'data.json': '1' },
  )
  assert.fixture(
    text,
    `import { open } from 'glowplug/runtime'
import 'side-effect'
import type { Tensor } from 'glowplug'
import * as g from 'glowplug'
import { two as three } from './lib.ts'
const shapes = new Map()
for (const name of ['a']) shapes.set(name, g.constant('f32', [1], [1]))
export default open('m')
console.log(three)
type T = Tensor
export type { T }
export const registry: string[] = []
for (const name of shapes.keys()) registry.push(name)`,
  )
})

test('local names hide imported ones', async () => {
  const { text } = await transform(`import { add, exp, model, relu, tensor } from 'glowplug'
export default ${spec('m')}
export const sum = (add: number, { exp = 1 } = {}) => { const model = add; { let relu = model; for (const tensor of [relu]) return tensor + exp } }
`)
  assert.not.match(text, /'glowplug'/)
})

test('an export that uses the DSL keeps what it needs', async () => {
  const { text } = await transform(`import { add, model, relu, tensor } from 'glowplug'
export default ${spec('m')}
export const block = (x: any) => relu(x)
`)
  assert.match(text, "import { relu } from 'glowplug'")
  assert.not.match(text, /add|tensor/)
})

test('directives and the first line stay first', async () => {
  const { code } = await transform(
    `#!/usr/bin/env node\n'use strict'\nimport { model, relu, tensor } from 'glowplug'\nexport default ${spec('m')}\n`,
  )
  assert.ok(code.startsWith(`#!/usr/bin/env node\n'use strict'\n${header}\n`), code)
})

// ---------------------------------------------------------------- source maps
const digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'

/** An independent reader of `mappings`: for each segment, output line and column, source line and column. */
function decode(mappings: string): number[][] {
  const result: number[][] = []
  let [sourceLine, sourceColumn] = [0, 0]
  for (const [line, segments] of mappings.split(';').entries()) {
    let column = 0
    for (const segment of segments === '' ? [] : segments.split(',')) {
      const fields: number[] = []
      let [value, shift] = [0, 0]
      for (const character of segment) {
        const digit = digits.indexOf(character)
        value += (digit & 31) * 2 ** shift
        shift += 5
        if (digit & 32) continue
        fields.push(value % 2 === 1 ? -Math.floor(value / 2) : value / 2)
        ;[value, shift] = [0, 0]
      }
      column += fields[0]!
      sourceLine += fields[2]!
      sourceColumn += fields[3]!
      result.push([line, column, sourceLine, sourceColumn])
    }
  }
  return result
}

test('numbers of a map are written as the format says', () => {
  // By hand: 1000 is 2000 with its sign, 1·32² + 30·32 + 16, written from the lowest digit: 16 and 30 with the continuation bit, 1.
  assert.equal([0, 1, -1, 15, 16, -16, 123, 1000].map(encodeVlq), ['A', 'C', 'D', 'e', 'gB', 'hB', '2H', 'w+B'])
})

test('each kept word is mapped to itself, each model to its expression (BP-08)', async () => {
  const source = `import { model, relu, tensor } from 'glowplug'
const gone = 1
export default ${spec('m')}
export const text = 'ä😀', after = text.length
export function thrower() {
  throw new Error('here')
}
`
  const { code, map } = await transform(source)
  const [lines, sourceLines] = [code.split('\n'), source.split('\n')]
  const segments = decode(map.mappings)
  const words = segments.filter(([line, column]) => /^\w/.test(lines[line!]!.slice(column)))
  for (const [line, column, sourceLine, sourceColumn] of words) {
    const word = /^\w+/.exec(lines[line!]!.slice(column))![0]
    const original = sourceLines[sourceLine!]!.slice(sourceColumn)
    assert.ok(original.startsWith(word) || (word === 'open' && original.startsWith('model(')), `${word} is mapped to ${original}`)
  }
  const placeOf = (text: string, all: string[]) => [
    all.findIndex((line) => line.includes(text)),
    all.find((line) => line.includes(text))!.indexOf(text),
  ]
  for (const text of ['Error', 'after', 'thrower']) {
    const [line, column] = placeOf(text, lines)
    const segment = segments.find((s) => s[0] === line && s[1] === column)
    assert.equal(segment?.slice(2), placeOf(text, sourceLines), text)
  }
  assert.equal(map.sources, ['m.model.ts'])
  assert.equal(map.sourcesContent, [source])
})

test('esbuild reads the map and composes it', () => {
  const source = 'const a = 1\nconst b = a.c.d\n'
  const { code, map } = compose(source, 'x.ts', [{ text: 'import y from "y"\n' }, { start: 0, end: source.length }])
  const inline = `//# sourceMappingURL=data:application/json;base64,${Buffer.from(JSON.stringify(map)).toString('base64')}`
  const result = transformSync(`${code}${inline}`, { loader: 'ts', sourcemap: 'external', sourcefile: 'generated.ts' })
  const composed = JSON.parse(result.map)
  assert.ok(composed.mappings.length > 10)
})

test.run()
