// One process of the suite: imports models, runs them on one target, compares. Told what to do by messages of `suite.mjs`.
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type DType, type Graph, inputName } from '../../../compiler/graph/index.ts'
import { programsWithin, shareConstants } from '../../../compiler/memory/index.ts'
import type { Program } from '../../../compiler/memory/program.ts'
import { compileGraph } from '../../../compiler/pipeline.ts'
import { importOnnx, type OnnxImport, UnsupportedOperators } from '../../../dsl/onnx/index.ts'
import { compile, extract } from '../../../plugin/compile.ts'
import { evaluate, runGraph } from '../../../targets/interpreter/index.ts'
import { hostPlatform } from '../../../targets/native/candidates.ts'
import { findCompiler, nativeTargets, nativeText } from '../../../targets/native/index.ts'
import { type PlatformName, platforms } from '../../../targets/native/levels.ts'
import { compileAddon } from '../../../targets/native/toolchain.ts'
import type { Addon } from '../../../targets/runtime/addon.ts'
import { trimmed } from '../../../targets/runtime/bounded.ts'
import { open } from '../../../targets/runtime/index.ts'
import { bindInputs, difference, OtherType, readTensor, type Summary, summarise, type Tensor } from './wire.ts'

export interface Outcome {
  readonly name: string
  readonly status: 'passed' | 'failed' | 'unsupported' | 'other type'
  readonly reason?: string
  /** Inputs that had to be known at import. */
  readonly bound?: readonly string[]
}

type Bytes = Readonly<Record<string, Uint8Array>>

interface Case {
  readonly name: string
  readonly imported: OnnxImport
  readonly graph: Graph
  readonly bound: readonly string[]
  readonly inputs: Bytes
  readonly expected: readonly Tensor[]
}

const messageOf = (error: unknown) => (error instanceof Error ? `${error.message || error.name}` : String(error))

/** `input_0.pb`, `input_1.pb`, … */
function tensorsOf(folder: string, kind: string): Uint8Array[] {
  const count = readdirSync(folder).filter((name) => name.startsWith(`${kind}_`)).length
  return Array.from({ length: count }, (_, i) => new Uint8Array(readFileSync(join(folder, `${kind}_${i}.pb`))))
}

/** Imports a case, with those of its inputs known that a plain import says it needs known. */
async function prepare(folder: string, name: string): Promise<Case | Outcome> {
  const model = new Uint8Array(readFileSync(join(folder, name, 'model.onnx')))
  const summary: Summary = summarise(model)
  const data = join(folder, name, 'test_data_set_0')
  const given = tensorsOf(data, 'input')
  let inputs: Tensor[]
  let expected: Tensor[]
  try {
    inputs = given.map(readTensor)
    expected = tensorsOf(data, 'output').map(readTensor)
  } catch (error) {
    if (error instanceof OtherType) return { name, status: 'other type', reason: error.message }
    throw error
  }
  const bound = new Map<string, Uint8Array>()
  for (;;) {
    try {
      const imported = await importOnnx(bindInputs(model, bound), { name: 'model' })
      const entry = imported.graph.entries[0]!.graph
      const free = summary.inputs.flatMap((input, i) => (bound.has(input) || !inputs[i] ? [] : [inputs[i]]))
      if (entry.inputs.length !== free.length)
        return { name, status: 'failed', reason: `${entry.inputs.length} inputs instead of ${free.length}` }
      return {
        name,
        imported,
        graph: entry,
        bound: [...bound.keys()],
        inputs: Object.fromEntries(entry.inputs.map((node, i) => [inputName(node), free[i]!.bytes])),
        expected,
      }
    } catch (error) {
      const reason = messageOf(error)
      const wanted = /depends on data/.test(reason) ? neededOf(reason, summary.inputs, inputs, bound) : []
      if (wanted.length === 0)
        return {
          name,
          status: error instanceof UnsupportedOperators ? 'unsupported' : 'failed',
          reason,
          bound: [...bound.keys()],
        }
      for (const input of wanted) bound.set(input, given[summary.inputs.indexOf(input)]!)
    }
  }
}

/** Inputs that a message says an import needs known; where it names none of them, those of integers, which shapes are made of. */
function neededOf(
  message: string,
  names: readonly string[],
  inputs: readonly Tensor[],
  bound: ReadonlyMap<string, unknown>,
): readonly string[] {
  const free = names.filter((name, i) => inputs[i] && !bound.has(name))
  const named = free.filter((name) => new RegExp(`input \\d+ '${name.replace(/[^\w]/g, '\\$&')}' depends on data`).test(message))
  if (named.length > 0) return named
  return free.filter((name) => !inputs[names.indexOf(name)]!.type.dtype.includes('f'))
}

/** Compares what a target made of a case. */
function judge({ name, graph, bound, expected }: Case, results: readonly Uint8Array[]): Outcome {
  const known = bound.length > 0 ? { bound } : {}
  // What data decides the size of is cut to it, as the loader does.
  const whole = graph.outputs.map(({ name: output, value: { type } }, i) => {
    const { buffer } = new Uint8Array(results[i]!)
    return [
      output,
      { data: new (arrays[type.dtype] ?? Uint8Array)(buffer as ArrayBuffer), shape: type.shape, dtype: type.dtype },
    ] as const
  })
  const dtypeOf = new Map(whole.map(([output, { dtype }]) => [output, dtype]))
  const outputs = Object.entries(trimmed(Object.fromEntries(whole) as never))
  if (outputs.length !== expected.length)
    return { name, status: 'failed', reason: `${outputs.length} outputs instead of ${expected.length}`, ...known }
  const wrong = outputs.flatMap(([output, { data, shape }], i) => {
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice()
    return difference({ type: { dtype: dtypeOf.get(output)!, shape }, bytes }, expected[i]!, output) ?? []
  })
  return wrong.length > 0 ? { name, status: 'failed', reason: wrong.join('; '), ...known } : { name, status: 'passed', ...known }
}

const failed = ({ name, bound }: Case, error: unknown): Outcome => ({
  name,
  status: 'failed',
  reason: messageOf(error),
  ...(bound.length > 0 ? { bound } : {}),
})

const onInterpreter = (cases: readonly Case[]): Outcome[] =>
  cases.map((each) => {
    try {
      const outputs = runGraph(each.graph, each.inputs)
      return judge(
        each,
        each.graph.outputs.map(({ name }) => outputs[name]!),
      )
    } catch (error) {
      return failed(each, error)
    }
  })

/** The generated module, read as the plugin reads it, and what it says run on the interpreter. */
async function onSource(cases: readonly Case[]): Promise<Outcome[]> {
  const outcomes: Outcome[] = []
  for (const each of cases) {
    const folder = mkdtempSync(join(scratch, 'model-'))
    try {
      const { source, weights } = each.imported
      writeFileSync(join(folder, 'model.model.ts'), source)
      writeFileSync(join(folder, 'model.safetensors'), weights.bytes())
      const { models, diagnostics } = await extract(join(folder, 'model.model.ts'))
      const said = diagnostics.map(({ title, message }: any) => message ?? title)
      if (models.length === 0) throw new Error(`the source does not build: ${said.join('; ')}`)
      outcomes.push(...onInterpreter([{ ...each, graph: models[0]!.model.entries[0]!.graph }]))
    } catch (error) {
      outcomes.push(failed(each, error))
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  }
  return outcomes
}

const scratch = mkdtempSync(join(tmpdir(), 'glowplug-suite-'))
process.on('exit', () => rmSync(scratch, { recursive: true, force: true }))
let files = 0

function constantsOf(program: Program, size: number): Uint8Array {
  const bytes = new Uint8Array(size)
  for (const { buffers, offsets } of programsWithin(program)) {
    for (const buffer of buffers.values()) {
      if (buffer.kind !== 'constant') continue
      const dense = buffer.data.read()
      bytes.set(buffer.packing ? buffer.packing.pack(dense) : dense, offsets.get(buffer.id)!)
    }
  }
  return bytes
}

/** All cases as entries of one addon: a C compiler starts once for them. */
async function onNative(cases: readonly Case[]): Promise<Outcome[]> {
  const compiler = await findCompiler(hostPlatform as PlatformName)
  const { levels } = platforms[hostPlatform as PlatformName]
  const [target] = await nativeTargets()
  const outcomes: Outcome[] = []
  const programs: { readonly each: Case; readonly program: Program }[] = []
  for (const each of cases) {
    try {
      const { program } = compileGraph(each.graph, { target: target!, evaluate })
      programs.push({ each, program: shareConstants([program]).programs[0]! })
    } catch (error) {
      outcomes.push(failed(each, error))
    }
  }
  async function together(list: typeof programs): Promise<void> {
    if (list.length === 0) return
    let addon: Addon
    try {
      const entries = list.map(({ program }, i) => ({ entry: `e${i}`, export: `entry${i}`, program }))
      const { bytes } = await compileAddon(nativeText('suite', entries, levels[0]!), levels[0]!, compiler)
      addon = loadAddon(bytes)
    } catch (error) {
      if (list.length === 1) {
        outcomes.push(failed(list[0]!.each, error))
        return
      }
      await together(list.slice(0, list.length >> 1))
      return together(list.slice(list.length >> 1))
    }
    const most = (region: 'constants' | 'mutable' | 'activations') =>
      Math.max(...list.map(({ program }) => program.regions[region]))
    for (const [i, { each, program }] of list.entries()) {
      process.send!({ running: each.name })
      const path = join(scratch, `${++files}.bin`)
      const constants = constantsOf(program, most('constants'))
      const file = new Uint8Array(4096 + constants.length)
      file.set(constants, 4096)
      writeFileSync(path, file)
      const instance = addon.open(path, file.length, 4096, constants.length, most('activations'))
      const region = new ArrayBuffer(program.regions.mutable + 63)
      const memory = new Uint8Array(region).fill(0xa5)
      const start = addon.lead(region)
      const { buffers, offsets } = program
      for (const id of program.inputs) memory.set(each.inputs[nameOf(program, id)]!, start + offsets.get(id)!)
      const fault = addon.run(instance, i, region, start)
      const results = program.outputs.map((id) =>
        memory.slice(start + offsets.get(id)!, start + offsets.get(id)! + buffers.get(id)!.bytes),
      )
      outcomes.push(fault === 0 ? judge(each, results) : failed(each, `fault ${fault}`))
      addon.close(instance)
      rmSync(path)
    }
  }
  await together(programs)
  return outcomes
}

function loadAddon(bytes: Uint8Array): Addon {
  const path = join(scratch, `${++files}.node`)
  writeFileSync(path, bytes)
  const module = { exports: {} }
  process.dlopen(module, path)
  return module.exports as Addon
}

function nameOf(program: Program, id: Program['inputs'][number]): string {
  const buffer = program.buffers.get(id)!
  return 'name' in buffer ? buffer.name : ''
}

const arrays: Partial<Record<DType, new (buffer: ArrayBuffer) => ArrayBufferView>> = {
  f32: Float32Array,
  f64: Float64Array,
  f16: Uint16Array,
  bf16: Uint16Array,
  i8: Int8Array,
  i16: Int16Array,
  u16: Uint16Array,
  i32: Int32Array,
  u32: Uint32Array,
  i64: BigInt64Array,
  u64: BigUint64Array,
}

const typedInputs = ({ graph, inputs }: Case): Record<string, ArrayBufferView> =>
  Object.fromEntries(
    graph.inputs.map((node) => {
      const { buffer } = new Uint8Array(inputs[inputName(node)]!)
      return [inputName(node), new (arrays[node.type.dtype] ?? Uint8Array)(buffer as ArrayBuffer)]
    }),
  )

/** All cases as entries of one wasm module, through the loader. */
async function onWasm(cases: readonly Case[]): Promise<Outcome[]> {
  if (cases.length === 0) return []
  const entries = cases.map(({ graph }, i) => ({ name: `e${i}`, graph }))
  try {
    const model = open(await compile({ name: 'suite', entries }, { target: 'wasm' })) as any
    const outcomes: Outcome[] = []
    for (const [i, each] of cases.entries()) {
      try {
        const outputs = await model.entries[`e${i}`].run(typedInputs(each))
        const bytes = (array: ArrayBufferView) => new Uint8Array(array.buffer, array.byteOffset, array.byteLength).slice()
        outcomes.push(
          judge(
            each,
            each.graph.outputs.map(({ name }) => bytes(outputs[name].data)),
          ),
        )
      } catch (error) {
        outcomes.push(failed(each, error))
      }
    }
    await model.close()
    return outcomes
  } catch (error) {
    if (cases.length === 1) return [failed(cases[0]!, error)]
    const half = cases.length >> 1
    return [...(await onWasm(cases.slice(0, half))), ...(await onWasm(cases.slice(half)))]
  }
}

const targets = { interpreter: onInterpreter, source: onSource, native: onNative, wasm: onWasm }

/** `folder` holds a folder for each case. */
async function run(folder: string, names: readonly string[], target: keyof typeof targets): Promise<Outcome[]> {
  const outcomes: Outcome[] = []
  const cases: Case[] = []
  for (const name of names) {
    process.send!({ running: name })
    try {
      const prepared = await prepare(folder, name)
      if ('status' in prepared) outcomes.push(prepared)
      else cases.push(prepared)
    } catch (error) {
      outcomes.push({ name, status: 'failed', reason: messageOf(error) })
    }
  }
  return [...outcomes, ...(await targets[target](cases))]
}

function describe(folder: string) {
  return readdirSync(folder)
    .filter((name) => existsSync(join(folder, name, 'model.onnx')))
    .sort()
    .map((name) => {
      const { operators, opset, training } = summarise(new Uint8Array(readFileSync(join(folder, name, 'model.onnx'))))
      const data = join(folder, name, 'test_data_set_0')
      let other: string | undefined
      try {
        for (const kind of ['input', 'output']) tensorsOf(data, kind).map(readTensor)
      } catch (error) {
        other = messageOf(error)
      }
      return { name, operators, opset, training, other }
    })
}

process.on('message', async ({ describe: folder, run: job }: any) => {
  if (folder) process.send!({ described: describe(folder) })
  else process.send!({ outcomes: await run(job.folder, job.names, job.target) })
})
