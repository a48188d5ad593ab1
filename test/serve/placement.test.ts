// Models over cards as they are compiled, written, read, and damaged.
import { mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createBuilder, type ModelGraph, type Node } from '../../compiler/graph/index.ts'
import { PartitionError, type PartitionOptions } from '../../compiler/partition/index.ts'
import type { Model, Tensor } from '../../dsl/index.ts'
import { writeFiles } from '../../plugin/bundle/write.ts'
import { compilePlaced, type PlacedOptions } from '../../plugin/compile.ts'
import { runGraph } from '../../targets/interpreter/index.ts'
import { serve } from '../../targets/runtime/serve/index.ts'
import { type PlacedModel, readPlacement } from '../../targets/runtime/serve/readPlacement.ts'
import { arrayOf } from '../../targets/runtime/tensor.ts'
import { assertClose } from '../support/compare.ts'
import { draw } from '../support/draw.ts'
import { arbitraryGraph, randomInputs } from '../support/randomGraph.ts'
import { cards, floats, idsBelow, recommender } from '../support/recommender.ts'

const folder = mkdtempSync(join(tmpdir(), 'glowplug-placement-'))
test.after(() => rmSync(folder, { recursive: true, force: true }))

const interpreter: PlacedOptions = { target: 'interpreter' }
const bytesOf = ({ buffer, byteOffset, byteLength }: ArrayBufferView) => new Uint8Array(buffer, byteOffset, byteLength)

/** Runs an entry on a server over bytes, as the interpreter takes and gives them; the code where the run fails. */
async function runServed(
  server: ReturnType<typeof serve>,
  { placement }: PlacedModel,
  entry: string,
  inputs: Readonly<Record<string, Uint8Array>>,
): Promise<Record<string, Uint8Array> | string> {
  const { inputs: signature } = placement.entries.find(({ name }) => name === entry)!
  const given = Object.fromEntries(
    signature.map(({ name, dtype, shape }) => {
      const array = arrayOf(dtype)
      const bytes = inputs[name]!.slice()
      return [name, { data: new array(bytes.buffer, 0, bytes.length / array.BYTES_PER_ELEMENT), shape }]
    }),
  )
  try {
    const outputs = await server.entries[entry]!.run(given)
    return Object.fromEntries(Object.entries(outputs).map(([name, { data }]) => [name, bytesOf(data).slice()]))
  } catch (error) {
    return (error as { code: string }).code
  }
}

const sizes = [3000, 2000, 1500, 1000]
const graph = recommender(sizes)
const spread = await compilePlaced(graph, cards(3, 1e9), interpreter)

/** Does not compile where the server of a model has other types than the model. */
export const typed = (model: Model<{ x: Tensor<'f32', readonly [2]> }, { y: Tensor<'f32', readonly [2]> }>) =>
  serve(model, { cards: 2 }).run({ x: [1, 2] }) satisfies Promise<{ readonly y: { readonly data: Float32Array } }>

test('a model whose tables are on several cards is served as the whole (PA-14, PA-15, FB-01)', async () => {
  assert.equal(
    spread.placement.parts.map(({ name, on }) => [name, on]),
    [
      ['narrowing', 'host'],
      ['tables0', [0]],
      ['tables1', [1]],
      ['tables2', [2]],
      ['dense', [0, 1, 2]],
    ],
  )
  const server = serve(spread)
  try {
    for (let seed = 0; seed < 4; seed++)
      assert.equal(await runServed(server, spread, 'main', idsBelow(sizes, seed)), runGraph(graph, idsBelow(sizes, seed)))
  } finally {
    await server.close()
  }
})

test('equal models make equal files, which are read from a folder, a file, an address and from memory', async () => {
  const again = await compilePlaced(recommender(sizes), cards(3, 1e9), interpreter)
  assert.equal([...again.files], [...spread.files])
  const place = join(folder, 'written')
  await writeFiles(spread.files, place)
  const file = readdirSync(place).find((name) => name.endsWith('.placement.json'))!
  const { files, placement } = spread
  const addresses = Object.fromEntries([...files.keys()].map((name) => [name, pathToFileURL(join(place, name))]))
  for (const source of [
    place,
    `${place}/`,
    join(place, file),
    pathToFileURL(join(place, file)),
    spread,
    { placement, base: pathToFileURL(join(place, 'index.js')) },
    { placement, files: addresses },
  ]) {
    const read = readPlacement(source)!
    assert.equal(read.placement, placement)
    assert.equal(
      read.bundles.map(({ manifest }) => manifest.model),
      placement.parts.map(({ name }) => `recommender.${name}`),
    )
  }
})

const codeOf = (run: () => unknown): string => {
  try {
    run()
  } catch (error: any) {
    assert.is(error.name, 'GlowplugError', error.stack)
    return error.code
  }
  return 'nothing'
}
const messageOf = (run: () => unknown): string => {
  try {
    run()
  } catch (error: any) {
    return `${error.code}: ${error.message}`
  }
  return 'nothing'
}

test('files that are missing, cut, changed or there twice are told by their codes', async () => {
  let count = 0
  const damaged = async (damage: (place: string, file: (end: string) => string) => void) => {
    const place = join(folder, `damaged${count++}`)
    await writeFiles(spread.files, place)
    damage(place, (end) => join(place, readdirSync(place).find((name) => name.endsWith(end))!))
    return codeOf(() => readPlacement(place))
  }
  assert.is(await damaged(() => {}), 'nothing')
  assert.is(
    codeOf(() => readPlacement(join(folder, 'nowhere'))),
    'bundle-missing-file',
  )
  assert.is(await damaged((_, file) => rmSync(file('.manifest.json'))), 'bundle-missing-file')
  assert.is(await damaged((_, file) => truncateSync(file('.manifest.json'), 10)), 'bundle-truncated')
  assert.is(await damaged((_, file) => truncateSync(file('.placement.json'), 10)), 'bundle-digest')
  assert.is(
    await damaged((place, file) => {
      renameSync(file('.placement.json'), join(place, 'x.placement.json'))
      truncateSync(join(place, 'x.placement.json'), 10)
    }),
    'placement-malformed',
  )
  assert.is(
    await damaged((place, file) => {
      renameSync(file('.placement.json'), join(place, 'x.placement.json'))
      truncateSync(join(place, 'x.placement.json'), 2 ** 27)
    }),
    'placement-malformed',
  )
  assert.is(
    await damaged((place, file) => writeFileSync(join(place, 'y.placement.json'), readFileSync(file('.placement.json')))),
    'bundle-missing-file',
  )
  assert.is(
    await damaged((_, file) => {
      const bytes = readFileSync(file('.manifest.json'))
      bytes[bytes.length - 3]! ^= 1
      writeFileSync(file('.manifest.json'), bytes)
    }),
    'bundle-digest',
  )
})

test('a placement that contradicts itself or its bundles is refused, and says where', () => {
  const changed = (change: (placement: any) => void): string => {
    const placement = structuredClone(spread.placement)
    change(placement)
    return messageOf(() => readPlacement({ ...spread, placement }))
  }
  const at = (field: string) => new RegExp(`^placement-malformed: the placement is damaged at placement\\.${field}: `)
  const cases: readonly (readonly [change: (placement: any) => void, message: RegExp])[] = [
    [(p) => (p.format = 3), /^bundle-format: the placement has format 3 of glowplug /],
    [(p) => (p.cards = p.cards.map(() => 'same')), at('cards')],
    [(p) => (p.parts[1].name = p.parts[2].name), at('parts')],
    [(p) => (p.parts[1].on = [3]), at('parts\\.1\\.on')],
    [(p) => (p.parts[1].on = []), at('parts\\.1\\.on')],
    [(p) => (p.parts[4].on = [0, 0]), at('parts\\.4\\.on')],
    [(p) => (p.parts[1].on = 'card'), at('parts\\.1\\.on')],
    [(p) => (p.parts[1].seconds = -1), at('parts\\.1\\.seconds')],
    [(p) => (p.parts[1].threads = 0), at('parts\\.1\\.threads')],
    [(p) => (p.parts[1].bundle.file = '../x'), at('parts\\.1\\.bundle\\.file')],
    [
      (p) => (p.parts[1].bundle.bytes = 2 ** 31),
      /^placement-malformed: the placement is damaged: no manifest has 2147483648 bytes/,
    ],
    [(p) => (p.parts[1].bundle.bytes += 1), /^bundle-truncated: /],
    [(p) => (p.parts[1].bundle.digest = p.parts[2].bundle.digest), /^bundle-digest: /],
    [(p) => (p.parts[2].bundle = { ...p.parts[1].bundle, bytes: 3 }), at('parts\\.2\\.bundle')],
    [(p) => p.flows.pop(), at('flows')],
    [(p) => (p.flows[0].steps[1].part = 5), at('flows\\.0\\.steps\\.1\\.part')],
    [(p) => (p.flows[0].steps[1].part = 2 ** 32), at('flows\\.0\\.steps\\.1\\.part')],
    [(p) => (p.flows[0].steps[1].entry = 'mian'), at('flows\\.0\\.steps\\.1\\.entry')],
    [(p) => p.flows[0].steps[1].inputs.pop(), at('flows\\.0\\.steps\\.1\\.inputs')],
    [(p) => (p.flows[0].steps[1].inputs[0] = { step: 1, output: 0 }), at('flows\\.0\\.steps\\.1\\.inputs\\.0')],
    [(p) => (p.flows[0].steps[1].inputs[0] = { step: 4, output: 0 }), at('flows\\.0\\.steps\\.1\\.inputs\\.0')],
    [(p) => (p.flows[0].steps[1].inputs[0] = { step: 0, output: 9 }), at('flows\\.0\\.steps\\.1\\.inputs\\.0')],
    [(p) => (p.flows[0].steps[0].inputs[0] = { input: 2 }), at('flows\\.0\\.steps\\.0\\.inputs\\.0')],
    [(p) => (p.flows[0].steps[0].inputs[0] = { input: 1 }), at('flows\\.0\\.steps\\.0\\.inputs\\.0')],
    [(p) => (p.flows[0].steps[0].inputs[0] = {}), at('flows\\.0\\.steps\\.0\\.inputs\\.0\\.step')],
    [(p) => (p.flows[0].outputs[0] = { step: 0, output: 0 }), at('flows\\.0\\.outputs\\.0')],
    [(p) => p.flows[0].steps.pop(), at('flows\\.0\\.outputs\\.0')],
    [(p) => (p.entries[0].inputs[0].dtype = 'i33'), at('entries\\.0\\.inputs\\.0\\.dtype')],
    [(p) => (p.entries[0].inputs[0].dtype = 'f64'), at('flows\\.0\\.steps\\.0\\.inputs\\.0')],
    [(p) => (p.entries[0].inputs[0].shape = [2, 3]), at('flows\\.0\\.steps\\.0\\.inputs\\.0')],
    [(p) => p.flows[0].uses.pop(), at('flows\\.0\\.uses')],
    [(p) => (p.flows[0].uses[0] = { lengthsOf: 7 }), at('flows\\.0\\.uses\\.0')],
    [(p) => (p.flows[0].uses[1] = { indices: [{ table: 't', rows: 1, from: 0, to: 1 }] }), at('flows\\.0\\.uses\\.1')],
    [
      (p) => (p.flows[0].uses[0] = { indices: [{ table: 't', rows: 1, from: 0, to: 999 }] }),
      at('flows\\.0\\.uses\\.0\\.indices'),
    ],
    [(p) => (p.buckets = [{}]), /^placement-malformed: the placement of 'recommender' is damaged at placement\.buckets/],
    [(p) => (p.buckets = [null]), /^placement-malformed: the placement of 'recommender' is damaged at placement\.buckets/],
    [(p) => (p.parts = { length: 3 }), at('parts')],
    [(p) => (p.parts = new Array(70_000).fill(p.parts[0])), at('parts')],
  ]
  for (const [change, message] of cases) assert.match(changed(change), message, String(change))
})

test('whatever stands in a placement, reading it ends, and with a code', () => {
  const hostile = [
    undefined,
    null,
    -1,
    1.5,
    2 ** 31,
    2 ** 53,
    '',
    'x',
    '__proto__',
    [],
    {},
    [[]],
    true,
    Number.NaN,
    'a'.repeat(1e5),
  ]
  /** Paths of all that stands in a value. */
  const pathsIn = (value: any, path: readonly string[] = []): readonly (readonly string[])[] =>
    Object(value) === value ? [path, ...Object.entries(value).flatMap(([key, inner]) => pathsIn(inner, [...path, key]))] : [path]
  const { plan: _, ...plain } = spread.placement
  const paths = pathsIn(plain).slice(1)
  let refused = 0
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.constantFrom(...paths), fc.constantFrom(...hostile)), { minLength: 1, maxLength: 3 }),
      (changes) => {
        const placement = structuredClone(plain) as any
        for (const [path, value] of changes) {
          let at = placement
          for (const key of path.slice(0, -1)) at = Object(at)[key]
          if (Object(at) === at) at[path.at(-1)!] = value
        }
        const code = codeOf(() => readPlacement({ ...spread, placement }))
        if (code === 'nothing') return
        refused++
        assert.ok(/^(placement-malformed|bundle-(format|truncated|digest|missing-file|malformed|unreadable))$/.test(code), code)
      },
    ),
    draw(816, 400),
  )
  assert.ok(refused > 200, `${refused} refused`)
})

test('entries of several sizes have one placement: the same weights on the same cards, one bundle for each part', async () => {
  const weights = new Map<string, { label: string; read: () => Uint8Array }>()
  const layers = (rows: number) => {
    const b = createBuilder()
    const x = b.input('x', { dtype: 'f32', shape: [rows, 16] })
    let y: Node = x
    for (let i = 0; i < 4; i++) {
      const label = `w${i}`
      weights.set(label, weights.get(label) ?? { label, read: () => floats(256, i) })
      y = b.add('tanh', {
        input: b.add('linear', { input: y, weight: b.constant({ dtype: 'f32', shape: [16, 16] }, weights.get(label)!) }),
      })
    }
    return b.finish('layers', [x], [{ name: 'y', value: y }])
  }
  const model: ModelGraph = {
    name: 'layers',
    entries: [1, 2, 4].map((rows) => ({ name: `main.batch${rows}`, graph: layers(rows) })),
    buckets: [
      {
        name: 'main',
        dims: [{ name: 'batch', sizes: [1, 2, 4], least: 1 }],
        entries: [1, 2, 4].map((rows) => `main.batch${rows}`),
        inputs: [{ name: 'x', dtype: 'f32', shape: [{ dim: 'batch', times: 1, plus: 0, over: 1 }, 16] }],
        outputs: [{ name: 'y', dtype: 'f32', shape: [{ dim: 'batch', times: 1, plus: 0, over: 1 }, 16] }],
      },
    ],
  }
  const placed = await compilePlaced(model, cards(4, 3000), interpreter)
  // Two cards are needed, so that each stage is on two (PA-18): copy i of logical card d is card d + 2i.
  assert.equal(
    placed.placement.parts.map(({ name, on }) => [name, on]),
    [
      ['stage0', [0, 2]],
      ['stage1', [1, 3]],
    ],
  )
  for (const { manifest } of readPlacement(placed)!.bundles) {
    assert.equal(
      manifest.entries.map(({ name }) => name),
      ['main.batch1', 'main.batch2', 'main.batch4'],
    )
    assert.is(manifest.weights.bytes, 2 * 16 * 16 * 4)
  }
  const server = serve(placed)
  try {
    for (const rows of [1, 2, 3, 4]) {
      const x = floats(rows * 16, rows)
      const padded = new Uint8Array(4 * 16 * 4)
      padded.set(x)
      const { y } = await server.run({ x: new Float32Array(x.buffer) })
      assert.equal(y!.shape, [rows, 16])
      assert.equal(bytesOf(y!.data), runGraph(layers(4), { x: padded }).y!.subarray(0, rows * 64))
    }
  } finally {
    await server.close()
  }
})

test('parts that compute the same are compiled and stored once', async () => {
  const b = createBuilder()
  const inputs = ['left', 'right'].map((name) => b.input(name, { dtype: 'f32', shape: [8] }))
  const values = inputs.map((input) => b.add('exp', { input: b.add('tanh', { input }) }))
  const twins = b.finish('twins', inputs, [{ name: 'sum', value: b.addFlat('add', values, {}) }])
  const begun: string[] = []
  const apart = await compilePlaced(twins, cards(2, 1e6), {
    ...interpreter,
    map: { parts: { a: { on: [0], nodes: ['left'] }, b: { on: [1], nodes: ['right'] }, rest: { on: 'host' } } },
    begin: (part) => begun.push(part),
  })
  assert.equal(begun, ['a', 'b', 'rest'])
  const [a, second, rest] = apart.placement.parts
  assert.equal(a!.bundle, second!.bundle)
  assert.not.equal(a!.bundle, rest!.bundle)
  const server = serve(apart)
  const given = { left: floats(8, 1), right: floats(8, 2) }
  assert.equal(await runServed(server, apart, 'main', given), runGraph(twins, given))
  await server.close()
})

test('placed, compiled and served = unpartitioned, for random graphs and random platforms (PA-01, FB-01)', async () => {
  const shape = fc.record({
    count: fc.integer({ min: 1, max: 4 }),
    bytes: fc.constantFrom(1e9, 1e9, 2000),
    refused: fc.array(fc.nat(1000), { minLength: 1, maxLength: 3 }),
    join: fc.boolean(),
    method: fc.constantFrom(undefined, undefined, 'unlike', 'graph') as fc.Arbitrary<PartitionOptions['method']>,
  })
  let several = 0
  await fc.assert(
    fc.asyncProperty(arbitraryGraph({ maximumNodes: 12 }), shape, fc.nat(1e6), async (graph, drawn, seed) => {
      const { count, bytes, refused, join, method } = drawn
      const ops = graph.nodes.map(({ op }) => op)
      const refuses = refused.map((index) => ops[index % ops.length]!)
      let placed: PlacedModel
      try {
        placed = await compilePlaced(graph, cards(count, bytes, { refuses }), { ...interpreter, join, ...(method && { method }) })
      } catch (error) {
        assert.instance(error, PartitionError)
        return
      }
      if (placed.placement.parts.length > 1) several++
      const inputs = randomInputs(graph, seed)
      const server = serve(placed)
      try {
        const outputs = await runServed(server, placed, 'main', inputs)
        let expected: Record<string, Uint8Array>
        try {
          expected = runGraph(graph, inputs)
        } catch {
          return assert.is(outputs, 'run-fault')
        }
        for (const { name, value } of graph.outputs)
          assertClose((outputs as typeof expected)[name]!, expected[name]!, value.type, {}, name)
      } finally {
        await server.close()
      }
    }),
    draw(817, 25),
  )
  assert.ok(several > 5, `${several} in several parts`)
})

test.run()
