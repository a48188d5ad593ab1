import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build as esbuild, type PluginBuild } from 'esbuild'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createBuilder, type Graph, InvariantError, ModelProblem, type Node, printGraph } from '../../compiler/graph/index.ts'
import { declarationOf } from '../../plugin/bundle/declaration.ts'
import { joinSections, manifestSchema, removeSuperseded, writeBundle, writeFolder } from '../../plugin/bundle/index.ts'
import { CompileError, compile, compileStages, DiagnosticError, readReproducer } from '../../plugin/compile.ts'
import { checkManifest } from '../../targets/runtime/check.ts'
import { open } from '../../targets/runtime/index.ts'

/** What can be opened from memory. */
const targetNames = ['wasm', 'interpreter']

const floats = (...values: number[]) => new Uint8Array(new Float32Array(values).buffer)

/** y = relu(x · w + b), z = x + x */
function sampleGraph({ name = 'tiny', bias = [1, -100] } = {}): Graph {
  const builder = createBuilder()
  const x = builder.input('x', { dtype: 'f32', shape: [1, 3] })
  const w = builder.literal({ dtype: 'f32', shape: [3, 2] }, floats(1, 2, 3, 4, 5, 6))
  const b = builder.literal({ dtype: 'f32', shape: [2] }, floats(...bias))
  const y = builder.addFlat('relu', [builder.addFlat('add', [builder.addFlat('matmul', [x, w], {}), b], {})], {})
  const z = builder.addFlat('add', [x, x], {})
  return builder.finish(
    name,
    [x],
    [
      { name: 'y', value: y },
      { name: 'z', value: z },
    ],
  )
}

const folders: string[] = []
function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'glowplug-test-'))
  folders.push(folder)
  return folder
}
test.after(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})

for (const target of targetNames) {
  test(`a graph compiled for ${target} gives the numbers worked out by hand`, async () => {
    const model = open(await compile(sampleGraph(), { target }))
    const { y, z } = await model.run({ x: [1, 2, 3] })
    // [1, 2, 3] · [[1, 2], [3, 4], [5, 6]] = [22, 28]
    assert.equal(y, { data: new Float32Array([23, 0]), shape: [1, 2] })
    assert.equal(z, { data: new Float32Array([2, 4, 6]), shape: [1, 3] })
    await model.close()
  })
}

/** Sums of integers: y = 2 x, in the encoding of x. */
function quantizedGraph(): Graph {
  const builder = createBuilder()
  const quantization = { scale: [0.5], zeroPoint: [3] }
  const x = builder.input('x', { dtype: 'u8', shape: [1, 3], quantization })
  const decoded = builder.add('dequantize', { input: x }, quantization)
  const sum = builder.add('add', { left: decoded, right: decoded })
  return builder.finish(
    'whole',
    [x],
    [
      { name: 'y', value: builder.add('quantize', { input: sum }, { dtype: 'u8', ...quantization }) },
      { name: 'z', value: builder.add('reshape', { input: x }, { shape: [3] }) },
    ],
  )
}

for (const target of targetNames) {
  test(`callers of a quantised model pass and get the integers, and are told what they stand for, by ${target}`, async () => {
    const bundle = await compile(quantizedGraph(), { target })
    const model = open(bundle)
    const { y, z } = await model.run({ x: [3, 4, 200] })
    assert.equal([y!.data, z!.data], [new Uint8Array([3, 5, 255]), new Uint8Array([3, 4, 200])])
    const quantization = { scale: [0.5], zeroPoint: [3] }
    assert.equal(
      [...model.info.inputs, ...model.info.outputs].map((tensor) => tensor.quantization),
      [quantization, quantization, quantization],
    )
    await model.close()
    const declared = declarationOf(manifestSchema.parse(JSON.parse(JSON.stringify(bundle.manifest))))
    assert.match(declared, '/** u8[1, 3] quantized([0.5], [3]) */')
    assert.match(declared, 'readonly quantization: { readonly scale: readonly [0.5]; readonly zeroPoint: readonly [3] };')
  })
}

test('weights that can no longer be read are a diagnostic, in whichever stage it shows', async () => {
  const builder = createBuilder()
  const x = builder.input('x', { dtype: 'f32', shape: [2] })
  const read = () => {
    throw new ModelProblem('weights-unreadable', 'w.safetensors has changed')
  }
  const w = builder.constant({ dtype: 'f32', shape: [2] }, { label: 'w', read })
  const reading = (value: Node) =>
    builder.finish('gone', [x], [{ name: 'y', value: builder.add('mul', { left: x, right: value }) }])
  const late = reading(w)
  const folded = reading(builder.add('exp', { input: w }))
  for (const [graph, target] of [late, folded].flatMap((graph) => targetNames.map((target) => [graph, target] as const))) {
    const error = await compile(graph, { target }).catch((thrown) => thrown)
    assert.instance(error, DiagnosticError)
    assert.equal(
      error.diagnostics.map(({ code, message }: { code: string; message: string }) => [code, message]),
      [['weights-unreadable', 'w.safetensors has changed']],
    )
  }
})

test('two builds of equal graphs are equal bytes under equal names (AO-10)', async () => {
  const [a, b] = [await compile(sampleGraph(), { target: targetNames }), await compile(sampleGraph(), { target: targetNames })]
  assert.equal([...a.files.keys()], [...b.files.keys()])
  for (const [name, bytes] of a.files) assert.ok(Buffer.from(bytes).equals(b.files.get(name)!), name)
  const other = await compile(sampleGraph({ bias: [2, 3] }), { target: targetNames })
  const weightsOf = (names: Iterable<string>) => [...names].find((name) => name.endsWith('.weights'))
  assert.is.not(weightsOf(other.files.keys()), weightsOf(a.files.keys()))
})

test('every name has the hash of its contents, every digest is that of its bytes', async () => {
  const { manifest, files } = await compile(sampleGraph(), { target: targetNames })
  for (const [name, bytes] of files)
    assert.match(name, new RegExp(`^tiny-${createHash('sha256').update(bytes).digest('hex').slice(0, 8)}\\.`))
  for (const { file, bytes, digest } of [manifest.weights, ...manifest.codes]) {
    assert.is(files.get(file)!.length, bytes)
    assert.is(digest, `sha256-${createHash('sha256').update(files.get(file)!).digest('hex')}`)
  }
  const weights = files.get(manifest.weights.file)!
  for (const code of manifest.codes) {
    const section = weights.subarray(code.weights.offset, code.weights.offset + code.weights.bytes)
    assert.is(code.weights.digest, `sha256-${createHash('sha256').update(section).digest('hex')}`)
    assert.is(code.weights.offset % 4096, 0)
  }
})

test('the manifest passes the schema of the build and the check of the loader, and holds no path of this machine', async () => {
  const { manifest, files } = await compile(sampleGraph(), { target: targetNames })
  assert.ok(manifestSchema.safeParse(manifest).success)
  // Native code says where it runs; what runs everywhere does not.
  const platform = { os: 'linux', arch: 'x64', libc: 'glibc' }
  const withCode = (change: object) => ({ ...manifest, codes: [{ ...manifest.codes[0]!, ...change }] })
  assert.ok(manifestSchema.safeParse(withCode({ kind: 'addon', platform })).success)
  for (const change of [{ kind: 'addon' }, { platform }, { kind: 'addon', platform: { ...platform, libc: '' } }])
    assert.not.ok(manifestSchema.safeParse(withCode(change)).success, JSON.stringify(change))
  assert.equal(checkManifest(JSON.parse(JSON.stringify(manifest))), JSON.parse(JSON.stringify(manifest)))
  for (const [name, bytes] of files) {
    const text = Buffer.from(bytes).toString('latin1')
    for (const path of [process.cwd(), process.env.GLOWPLUG_ROOT!, `${tmpdir()}/`])
      assert.not.ok(text.includes(path), `${name} holds ${path}`)
  }
})

test('an unknown target is an error that lists the names (BE-05)', async () => {
  try {
    await compile(sampleGraph(), { target: 'cuda' })
    assert.unreachable()
  } catch (error: any) {
    assert.is(
      error.message,
      "there is no target 'cuda'; targets are native, native-linux-x64, native-linux-arm64, wasm, interpreter",
    )
  }
})

test('what goes wrong while code is made is blamed on the compiler, with a reproducer, or on the model', async () => {
  const { interpreter } = await import('../../targets/interpreter/index.ts')
  const failing = (error: Error): Promise<any> =>
    compile(sampleGraph(), { target: { ...interpreter, emit: () => Promise.reject(error) } }).catch((reason) => reason)
  const ours = await failing(new InvariantError('no such register'))
  assert.instance(ours, CompileError)
  assert.is(ours.message, 'code for interpreter failed: no such register')
  assert.is(
    printGraph(readReproducer(ours.reproducer).graph),
    printGraph((await compileStages(sampleGraph(), { target: 'interpreter' })).lowered!),
  )
  const theirs = await failing(new ModelProblem('too-large', 'it needs 5 GiB'))
  assert.instance(theirs, DiagnosticError)
  assert.equal([theirs.diagnostics[0].code, theirs.diagnostics[0].message], ['too-large', 'it needs 5 GiB'])
})

test('equal sections are stored once, each at a multiple of 4096', () => {
  const section = (byte: number, bytes: number) => ({ bytes: new Uint8Array(bytes).fill(byte), digest: `${byte} ${bytes}` })
  const { file, places } = joinSections([section(1, 5000), section(2, 3), section(1, 5000), section(3, 0)])
  assert.equal(places, [
    { offset: 0, bytes: 5000 },
    { offset: 8192, bytes: 3 },
    { offset: 0, bytes: 5000 },
    { offset: 12288, bytes: 0 },
  ])
  assert.is(file.length, 12288)
  assert.equal([file[4999], file[5000], file[8192], file[8195]], [1, 0, 2, 0])
})

test('writing again what is there leaves the files alone; nothing temporary stays', async () => {
  const folder = newFolder()
  const bundle = await compile(sampleGraph(), { target: 'interpreter' })
  await writeBundle(bundle, folder)
  const state = () =>
    readdirSync(folder)
      .sort()
      .map((name) => `${name} ${statSync(join(folder, name)).ino}`)
  const before = state()
  await writeBundle(bundle, folder)
  assert.equal(state(), before)
  assert.equal(readdirSync(folder).sort(), [...bundle.files.keys()].sort())
  const [name] = bundle.files.keys()
  writeFileSync(join(folder, name!), 'damaged')
  await writeBundle(bundle, folder)
  assert.ok(readFileSync(join(folder, name!)).equals(bundle.files.get(name!)!))
})

test('a build into the same folder removes the build before it, and nothing else', async () => {
  const folder = newFolder()
  const first = await compile(sampleGraph(), { target: 'interpreter' })
  const second = await compile(sampleGraph({ bias: [5, 5] }), { target: 'interpreter' })
  const other = await compile(sampleGraph({ name: 'other' }), { target: 'interpreter' })
  for (const bundle of [first, other, second]) await writeFolder(bundle, folder)
  writeFileSync(join(folder, 'notes.txt'), 'mine')
  assert.equal(await removeSuperseded(second, folder), [])
  const expected = [...second.files.keys(), ...other.files.keys(), 'index.js', 'index.d.ts', 'package.json', 'notes.txt']
  assert.equal(readdirSync(folder).sort(), expected.sort())
  mkdirSync(join(folder, 'kept'))
  writeFileSync(join(folder, 'kept', 'package.json'), '{}')
  await writeFolder(second, join(folder, 'kept'))
  assert.is(readFileSync(join(folder, 'kept', 'package.json'), 'utf8'), '{}')
})

test('the stages of a compilation are there to look at', async () => {
  const result = await compileStages(sampleGraph(), { target: 'interpreter' })
  assert.ok(result.program && result.kernels && result.times.memory !== undefined)
  const stopped = await compileStages(sampleGraph(), { target: 'interpreter', stopAfter: 'lowered' })
  assert.ok(stopped.lowered && !stopped.kernels)
})

test('importing the compiler loads neither ts-morph nor the C compiler', async () => {
  const root = process.env.GLOWPLUG_ROOT!
  const asText = {
    name: 'as-text',
    setup: (build: PluginBuild) => build.onResolve({ filter: /\?(source|text)$/ }, ({ path }) => ({ path, external: true })),
  }
  const { metafile } = await esbuild({
    ...{ absWorkingDir: root, entryPoints: ['plugin/compile.ts'], bundle: true, write: false, metafile: true, outdir: 'unused' },
    ...{ format: 'esm', platform: 'node', packages: 'external', splitting: true, plugins: [asText] },
  })
  const reached = new Set<string>()
  const external = new Set<string>()
  const pending = ['plugin/compile.ts']
  for (let file = pending.pop(); file; file = pending.pop()) {
    if (reached.has(file)) continue
    reached.add(file)
    for (const { path, kind, external: outside } of metafile.inputs[file]?.imports ?? []) {
      if (kind !== 'import-statement') continue
      if (outside) external.add(path)
      else pending.push(path)
    }
  }
  assert.ok(reached.has('compiler/pipeline.ts'))
  assert.equal([...external].filter((name) => !name.startsWith('node:')).sort(), ['zod'])
})

test.run()
