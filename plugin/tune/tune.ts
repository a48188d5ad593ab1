// `glowplug tune`: every kernel that can be made in several ways is measured in its place in the program, in all of them.
import { spawn } from 'node:child_process'
import { rmSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Kernel } from '../../compiler/fuse/kernel.ts'
import { kernelSignature } from '../../compiler/fuse/print.ts'
import { InvariantError, type ModelGraph, printLocation, printType } from '../../compiler/graph/index.ts'
import { shareConstants } from '../../compiler/memory/index.ts'
import type { KernelWay, Target, Tuning } from '../../compiler/target.ts'
import { evaluate } from '../../targets/interpreter/index.ts'
import { makeBundle } from '../bundle/make.ts'
import { writeBundle } from '../bundle/write.ts'
import type { Job } from './child.ts'
import childSource from './child.ts?source'
import type { Measurements } from './measure.ts'
import { bytesOf, type Candidate, type Rehearsal, rehearse, trialsOf } from './trials.ts'

export interface TuneOptions {
  readonly models: readonly ModelGraph[]
  /** Whether an entry's kernels are measured. Default: all are. */
  readonly selects?: (model: ModelGraph, entry: string) => boolean
  readonly target: Target & { readonly tuning: Tuning }
  /** Seconds that measuring may take, beside compiling. */
  readonly seconds: number
  readonly threads: number
  /** Told what is done. */
  readonly update: (what: string) => void
  /** Told what was found for a kernel. */
  readonly found?: (kernel: MeasuredKernel) => void
}

export interface MeasuredWay extends KernelWay {
  /** Nanoseconds of a call; undefined where it was not measured. */
  readonly measured: number | undefined
}

export interface MeasuredKernel {
  readonly signature: string
  readonly about: string
  /** Where in the model it comes from; empty where it is derived. */
  readonly location: string
  /** How often the entry calls it. */
  readonly calls: number
  /** The target's own choice first. */
  readonly ways: readonly MeasuredWay[]
  /** The one to take: the fastest, unless the target's own choice is as fast but for noise. */
  readonly best: MeasuredWay
}

export interface TuneResult {
  readonly kernels: readonly MeasuredKernel[]
  /** Ways that could not be compiled, and kernels for which the time did not suffice; a sentence each. */
  readonly skipped: readonly string[]
  /** Signatures of all kernels of the models. */
  readonly signatures: ReadonlySet<string>
}

/** A way must be so much faster than the target's own choice to be taken for it: less is within what repeated measurements differ by. */
const leastGain = 0.02

/** Constants of ways that are measured at once, beside those of the program. */
const batchBytes = 600 * 2 ** 20

/**
 * Measures. Throws InvariantError where the measuring process fails; errors of the compiler are those of `compile`. A way that cannot be
 * compiled is left out and told.
 */
export async function tune({
  models,
  selects = () => true,
  target,
  seconds,
  threads,
  update,
  found,
}: TuneOptions): Promise<TuneResult> {
  const { tuning } = target
  const signatures = new Set<string>()
  const measured = new Set<string>()
  const skipped: string[] = []
  const batches: Batch[] = []
  for (const model of models)
    for (const { name, graph } of model.entries) {
      update(`compiling ${model.name}${model.entries.length > 1 ? `, entry ${name}` : ''}`)
      const isWanted = selects(model, name)
      const rehearsal = rehearse(graph, target, { evaluate }, (signature) => !isWanted || measured.has(signature))
      for (const kernel of rehearsal.program.kernels.values()) signatures.add(kernelSignature(kernel))
      for (const { signature } of rehearsal.candidates) measured.add(signature)
      batches.push(...batchesOf(rehearsal, tuning))
    }
  const total = batches.reduce((sum, { candidates }) => sum + candidates.length, 0)
  const kernels: MeasuredKernel[] = []
  let left = seconds
  let weight = batches.reduce((sum, batch) => sum + batch.weight, 0)
  for (const batch of batches) {
    const doing = `kernels ${kernels.length + 1} to ${kernels.length + batch.candidates.length} of ${total}`
    const share = (left * batch.weight) / weight
    const { measurements, candidates, spent, failures } = await measureBatch(batch, target, share, threads, (what) =>
      update(`${doing}: ${what}`),
    )
    skipped.push(...failures)
    left = Math.max(1, left - spent)
    weight -= batch.weight
    for (const [i, candidate] of candidates.entries()) {
      const kernel = resultOf(candidate, measurements[i]!)
      if (!kernel) {
        skipped.push(`${describeKernel(candidate.kernel)}: the time did not suffice`)
        continue
      }
      kernels.push(kernel)
      found?.(kernel)
    }
  }
  return { kernels, skipped, signatures }
}

/** Kernels of one program that are measured together. */
interface Batch {
  readonly rehearsal: Rehearsal
  readonly candidates: readonly Candidate[]
  /** Ways that are to be measured. */
  readonly weight: number
}

function batchesOf(rehearsal: Rehearsal, tuning: Tuning): Batch[] {
  const batches: Candidate[][] = []
  let bytes = Number.POSITIVE_INFINITY
  for (const candidate of rehearsal.candidates) {
    const own = bytesOf(candidate, tuning)
    if (bytes + own > batchBytes) {
      batches.push([])
      bytes = 0
    }
    batches.at(-1)!.push(candidate)
    bytes += own
  }
  return batches.map((candidates) => ({
    rehearsal,
    candidates,
    weight: candidates.reduce((sum, { ways }) => sum + ways.length, 0),
  }))
}

interface BatchResult {
  readonly measurements: Measurements
  readonly candidates: readonly Candidate[]
  readonly failures: readonly string[]
  /** Seconds of measuring. */
  readonly spent: number
}

async function measureBatch(
  { rehearsal, candidates: asked }: Batch,
  target: Target & { readonly tuning: Tuning },
  seconds: number,
  threads: number,
  update: (what: string) => void,
): Promise<BatchResult> {
  const folder = await mkdtemp(join(tmpdir(), 'glowplug-tune-'))
  // Signals end the process without a word to those who wait for its end.
  const leave = () => rmSync(folder, { recursive: true, force: true })
  const interrupted = () => process.exit(130)
  const terminated = () => process.exit(143)
  process.once('exit', leave).once('SIGINT', interrupted).once('SIGTERM', terminated)
  try {
    update('compiling')
    let candidates = asked
    let failures: readonly string[] = []
    let kind: string
    try {
      kind = await writeTrials(folder, rehearsal, candidates, target, seconds, threads)
    } catch (error) {
      if (!(error instanceof InvariantError)) throw error
      const parted = await withoutFailures(rehearsal, candidates, target, update)
      // Whatever fails is not one of the ways.
      if (parted.failures.length === 0) throw error
      failures = parted.failures
      candidates = parted.candidates
      if (candidates.length === 0) return { measurements: [], candidates, failures, spent: 0 }
      kind = await writeTrials(folder, rehearsal, candidates, target, seconds, threads)
    }
    const started = performance.now()
    const measurements = await runChild(folder, kind, (round) => update(`round ${round + 1}`))
    return { measurements, candidates, failures, spent: (performance.now() - started) / 1000 }
  } finally {
    process.off('exit', leave).off('SIGINT', interrupted).off('SIGTERM', terminated)
    await rm(folder, { recursive: true, force: true })
  }
}

/** Compiles what is to be measured into the folder, and says what the child is to do. Returns the kind of code. */
async function writeTrials(
  folder: string,
  rehearsal: Rehearsal,
  candidates: readonly Candidate[],
  target: Target & { readonly tuning: Tuning },
  seconds: number,
  threads: number,
): Promise<string> {
  const { program } = rehearsal
  const { entries, steps } = trialsOf(rehearsal, candidates, target, threads)
  const shared = shareConstants(entries.map((entry) => entry.program))
  const placed = entries.map((entry, i) => ({ ...entry, program: shared.programs[i]! }))
  const code = await target.tuning.emit(program.name, placed)
  const stub = { name: program.name, inputs: [], outputs: [], nodes: [], locations: new Map() }
  const model = { name: program.name, entries: entries.map(({ entry }) => ({ name: entry, graph: stub })) }
  const bundle = makeBundle({ model, codes: [{ target: target.name, entries: placed, constants: shared.bytes, code }] })
  await writeBundle(bundle, folder)
  const floats = program.inputs.flatMap((id) => {
    const buffer = program.buffers.get(id)!
    return buffer.kind === 'input' && buffer.type.dtype === 'f32' ? [[program.offsets.get(id)!, buffer.bytes / 4] as const] : []
  })
  const job: Job = { steps, ways: candidates.map(({ ways }) => ways.length), seconds, threads, floats }
  await writeFile(join(folder, 'job.json'), JSON.stringify(job))
  return code.kind
}

/** The candidates without those of their ways that cannot be compiled, each on its own. */
async function withoutFailures(
  rehearsal: Rehearsal,
  candidates: readonly Candidate[],
  target: Target & { readonly tuning: Tuning },
  update: (what: string) => void,
): Promise<{ readonly candidates: readonly Candidate[]; readonly failures: readonly string[] }> {
  const { tuning } = target
  const failures: string[] = []
  const kept: Candidate[] = []
  for (const candidate of candidates) {
    const ways: KernelWay[] = []
    for (const way of candidate.ways) {
      update(`compiling ${way.name} alone`)
      const single = { ...candidate, ways: [way], places: candidate.places.slice(0, 1) }
      const { entries, steps } = trialsOf(rehearsal, [single], target, 1)
      const [entry] = steps.flatMap((step) => ('entries' in step ? step.entries : []))
      try {
        const { programs } = shareConstants([entries[entry!]!.program])
        await tuning.emit(rehearsal.program.name, [
          { ...entries[entry!]!, entry: 'alone', export: 'alone', program: programs[0]! },
        ])
        ways.push(way)
      } catch (error) {
        if (!(error instanceof InvariantError)) throw error
        failures.push(
          `${describeKernel(candidate.kernel)}: ${way.name} cannot be compiled: ${error.message.split('\n', 2).join(' ')}`,
        )
      }
    }
    if (ways.length > 1 && ways[0] === candidate.ways[0]) kept.push({ ...candidate, ways })
  }
  return { candidates: kept, failures }
}

/** Where a crash of what is measured, or what it leaves in memory, is nobody's problem. */
function runChild(folder: string, kind: string, onRound: (round: number) => void): Promise<Measurements> {
  // V8 would otherwise begin with code that is made fast and runs slowly.
  const flags = kind === 'wasm' ? ['--no-liftoff'] : []
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [...flags, '--input-type=module', '--eval', childSource, folder], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, NODE_OPTIONS: '' },
    })
    const stop = () => void child.kill('SIGKILL')
    process.once('exit', stop)
    let [said, text] = ['', '']
    let measurements: Measurements | undefined
    child.stderr.on('data', (chunk: Buffer) => {
      said = `${said}${chunk}`.slice(-2000)
    })
    child.stdout.on('data', (chunk: Buffer) => {
      text += chunk
      for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n')) {
        const message = JSON.parse(text.slice(0, end)) as { round?: number; measurements?: (number | null)[][] }
        text = text.slice(end + 1)
        if (message.round !== undefined) onRound(message.round)
        // JSON has no undefined.
        if (message.measurements) measurements = message.measurements.map((ways) => ways.map((time) => time ?? undefined))
      }
    })
    child.on('error', reject)
    child.on('close', (status, signal) => {
      process.off('exit', stop)
      if (measurements && status === 0) resolve(measurements)
      else reject(new InvariantError(`the measuring process ended with ${signal ?? status}: ${said}`))
    })
  })
}

function resultOf(
  { signature, kernel, ways, places, instruction }: Candidate,
  times: Measurements[number],
): MeasuredKernel | undefined {
  const measured = ways.map((way, i): MeasuredWay => ({ ...way, measured: times[i] }))
  const own = measured[0]!
  if (own.measured === undefined) return undefined
  const least = measured.reduce((best, way) => ((way.measured ?? Number.POSITIVE_INFINITY) < best.measured! ? way : best), own)
  return {
    signature,
    about: describeKernel(kernel),
    location: instruction.locations.flatMap((each) => (each.kind === 'source' ? [printLocation(each)] : []))[0] ?? '',
    calls: places.length,
    ways: measured,
    best: least.measured! < own.measured * (1 - leastGain) ? least : own,
  }
}

/** `conv relu f32[1, 3, 8, 8] f32[4, 3, 3, 3] -> f32[1, 4, 8, 8]`: op, steps behind it, operands, results. */
function describeKernel({ anchor, inputs, steps, results }: Kernel): string {
  const ops = [...(anchor ? [anchor.op] : []), ...steps.flatMap((step) => (step.kind === 'apply' ? [step.op] : []))]
  const types = (list: readonly { readonly type: Kernel['inputs'][number]['type'] }[]) =>
    list.map(({ type }) => printType(type)).join(' ')
  return `${ops.join(' ')} ${types(inputs)} -> ${types(results)}`.slice(0, 1000)
}
