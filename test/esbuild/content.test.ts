import { readFileSync } from 'node:fs'
import { SourceMap } from 'node:module'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { bundle, cleanUp, createProject, program, runAlone, safetensors, scaleModel, scaleWeights } from './support.ts'

/** 64 numbers that occur nowhere by chance. */
const marked = Array.from({ length: 64 }, (_, i) => 0.123456 + i * 0.7654321)

const mlp = {
  'mlp.model.ts': `
import { linear, model, relu, tensor, weights } from 'glowplug'
import { activation, widths } from './config.ts'

const w = weights(new URL('./mlp.safetensors', import.meta.url))
export const description = \`from \${widths[0]} to \${widths[1]}\`
export function describe(value: number): string {
  return description + ' is ' + value
}
export interface Described { readonly value: number }

export default model({
  name: 'mlp',
  inputs: { x: tensor('f32', [1, 8]) },
  forward({ x }) {
    const y = linear(x, w.get('secret.layer.weight', 'f32', [8, 8]))
    return { y: activation === 'relu' ? relu(y) : y }
  },
})
`,
  'config.ts': `export const activation: string = 'relu'\nexport const widths = [8, 8] as const\nexport const helperMarker = 'helper-only-text'\n`,
  'mlp.safetensors': safetensors({ 'secret.layer.weight': { shape: [8, 8], values: marked } }),
}

test('nothing of the DSL, of its helpers or of the weights file is in any output', async () => {
  const project = createProject({
    ...mlp,
    'app.ts': `import mlp, { describe } from './mlp.model.ts'\nconsole.log(describe((await mlp.run({ x: new Float32Array(8) })).y.data.length))\nawait mlp.close()\n`,
  })
  const { result } = await bundle(project, { entryPoints: ['app.ts'], write: false })
  assert.ok(result.outputFiles!.length >= 3)
  for (const { path, text } of result.outputFiles!) {
    for (const marker of [
      'secret.layer',
      'data_offsets',
      'safetensors',
      'forward',
      'linear',
      'tensor(',
      'zod',
      'ts-morph',
      'helper-only-text',
      project,
    ])
      assert.not(text.includes(marker), `${path} contains ${marker}`)
  }
  const raw = Buffer.from(mlp['mlp.safetensors'])
  for (const { path, contents } of result.outputFiles!)
    assert.not(Buffer.from(contents).includes(raw), `${path} contains the weights file`)
  const inputs = Object.keys(result.metafile.inputs)
  assert.not(
    inputs.some((path) => /dsl|dist\/index\.js/.test(path)),
    inputs.join(),
  )
})

test('the other exports of a model module stay as they are', async () => {
  const project = createProject({
    ...mlp,
    'app.ts': `import mlp, { describe, description } from './mlp.model.ts'\nconst { y } = await mlp.run({ x: new Float32Array(8).fill(1) })\nconsole.log(describe(y.data.length), description)\nconsole.log(...y.data)\nawait mlp.close()\n`,
  })
  await bundle(project, { entryPoints: ['app.ts'] })
  const [described, values] = runAlone(join(project, 'out'), 'app.js').split('\n')
  assert.is(described, 'from 8 to 8 is 8 from 8 to 8')
  const expected = Array.from({ length: 8 }, (_, row) =>
    marked.slice(row * 8, row * 8 + 8).reduce((sum, weight) => sum + Math.fround(weight), 0),
  )
  for (const [i, value] of values!.split(' ').map(Number).entries())
    assert.ok(Math.abs(value - expected[i]!) < 1e-4 * expected[i]!, `${value} is not ${expected[i]}`)
})

test('several models in one program, and only those that are used are emitted', async () => {
  const project = createProject({
    'app.ts': program(['half', './half.model.ts'], ['triple', './deep/triple.model.ts']),
    'half.model.ts': scaleModel('half'),
    'half.safetensors': scaleWeights([0.5, 0.5]),
    'deep/triple.model.ts': `${scaleModel('triple')}\nexport const unused = model({ name: 'unused', inputs: { x: tensor('f32', [2]) }, forward: ({ x }) => ({ y: mul(x, 5) }) })\n`,
    'deep/triple.safetensors': scaleWeights([3, 3]),
  })
  const { result, models } = await bundle(project, { entryPoints: ['app.ts'] })
  assert.equal(
    models.map(({ file, model }) => `${file} ${model}`),
    ['deep/triple.model.ts triple', 'deep/triple.model.ts unused', 'half.model.ts half'],
  )
  const outputs = Object.keys(result.metafile.outputs)
  assert.ok(outputs.some((path) => path.includes('half')) && outputs.some((path) => path.includes('triple')))
  assert.not(
    outputs.some((path) => path.includes('unused')),
    outputs.join(),
  )
  assert.is(runAlone(join(project, 'out'), 'app.js'), 'half wasm 0.5 1\ntriple wasm 3 6\n')
})

test('named exports, aliases, tsconfig paths, packages, JSON and define reach the extractor', async () => {
  const project = createProject({
    'app.ts': `import { scaled } from './scaled.model.ts'\nconsole.log(...(await scaled.run({ x: [1, 2] })).y.data)\nawait scaled.close()\n`,
    'tsconfig.json': '{ "compilerOptions": { "paths": { "@parts/*": ["./parts/*"] } } }',
    'parts/factors.ts': `import config from './config.json'\nexport const fromPath: number = config.factor\n`,
    'parts/config.json': '{ "factor": 2 }',
    'aliased/index.ts': 'export const fromAlias = 3\n',
    'node_modules/factor-package/package.json': '{ "name": "factor-package", "type": "module", "exports": "./main.js" }',
    'node_modules/factor-package/main.js': 'export const fromPackage = 5\n',
    'scaled.model.ts': `
import { model, mul, tensor } from 'glowplug'
import { fromPath } from '@parts/factors.ts'
import { fromAlias } from 'aliased'
import { fromPackage } from 'factor-package'
declare const FROM_DEFINE: number
export const scaled = model({
  name: 'scaled',
  inputs: { x: tensor('f32', [2]) },
  forward: ({ x }) => ({ y: mul(x, fromPath * fromAlias * fromPackage * FROM_DEFINE) }),
})
`,
  })
  await bundle(project, { entryPoints: ['app.ts'], alias: { aliased: './aliased/index.ts' }, define: { FROM_DEFINE: '7' } })
  assert.is(runAlone(join(project, 'out'), 'app.js'), '210 420\n')
})

test('BP-08 the source map leads from the bundle to the line of the model module', async () => {
  const project = createProject({
    ...mlp,
    'app.ts': `import mlp, { describe } from './mlp.model.ts'\nconsole.log(describe(1), mlp)\n`,
  })
  await bundle(project, { entryPoints: ['app.ts'], sourcemap: true })
  const text = readFileSync(join(project, 'out/app.js'), 'utf8')
  const map = new SourceMap(JSON.parse(readFileSync(join(project, 'out/app.js.map'), 'utf8')))
  const source = mlp['mlp.model.ts'].split('\n')
  for (const marker of ['" is "', '({ manifest: {']) {
    const lines = text.split('\n')
    const line = lines.findIndex((content) => content.includes(marker))
    const found = map.findEntry(line, lines[line]!.indexOf(marker)) as { originalSource: string; originalLine: number }
    assert.match(found.originalSource, /mlp\.model\.ts$/)
    const expected = marker === '" is "' ? `return description + ' is '` : 'export default model({'
    assert.ok(
      source[found.originalLine]!.includes(expected),
      `${marker} comes from line ${found.originalLine}: ${source[found.originalLine]}`,
    )
  }
  assert.is(
    map.payload.sourcesContent[map.payload.sources.findIndex((name) => name.endsWith('mlp.model.ts'))],
    mlp['mlp.model.ts'],
  )
})

test.after(cleanUp)
test.run()
