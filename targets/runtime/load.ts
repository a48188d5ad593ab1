import { explain, fail } from './error.ts'
import { type Located, locate, type Source } from './locate.ts'
import type { CodeEntry, EntryPoint, TensorSignature } from './manifest.ts'
import type { Plan } from './plan.ts'
import { engine } from './source.ts'
import { byteSize } from './tensor.ts'

/** Not among the values in the types of Node 20; absent where it is switched off. */
declare const WebAssembly: any

/** A tensor and where it lies in the region of inputs and outputs. */
export interface TensorInfo extends TensorSignature {
  readonly offset: number
  readonly bytes: number
}

/** One way to run a model: its code, its entry, and what callers see. */
export interface Choice extends Located {
  readonly code: CodeEntry
  readonly entry: EntryPoint
  readonly inputs: readonly TensorInfo[]
  readonly outputs: readonly TensorInfo[]
  /** Why it is not the bundle's first. */
  readonly fallback: string | undefined
}

export interface Loader {
  /** Reads the manifest alone. */
  choice(): Choice
  /** Reads, checks and compiles the code, once; the weights are left to the instance. `verify` tells it to check them. */
  plan(verify: boolean): Plan
}

const addressed = (tensors: readonly TensorSignature[], offsets: readonly number[]): TensorInfo[] =>
  tensors.map((tensor, i) => ({
    ...tensor,
    shape: Object.freeze([...tensor.shape]),
    offset: offsets[i]!,
    bytes: byteSize(tensor),
  }))

export function createLoader(source: Source, target: string | undefined): Loader {
  let chosen: Choice | undefined
  let compiled: Plan['code'] | undefined

  function choose(located: Located, index: number, fallback?: string): Choice {
    const { codes, entries, model } = located.manifest
    const code = codes.find((candidate, i) => (target ? candidate.target === target : i === index))
    if (!code)
      fail('target-unavailable', `model '${model}' was built for ${codes.map((c) => c.target).join(', ')}, not for '${target}'`)
    const entry = code.entries[0]!
    const { inputs, outputs } = entries[0]!
    return {
      ...located,
      code,
      entry,
      inputs: addressed(inputs, entry.inputs),
      outputs: addressed(outputs, entry.outputs),
      fallback,
    }
  }

  const choice = () => (chosen ??= choose(locate(source), 0))

  function compile(): Plan['code'] {
    const current = choice()
    const { code } = current
    const bytes = new Uint8Array(code.bytes)
    const file = { place: current.place(code.file), bytes: code.bytes }
    try {
      engine().readInto(bytes, file.place, file.bytes, 0, code.digest)
    } catch (error) {
      throw explain(error, file)
    }
    if (code.kind === 'module') return `data:text/javascript;base64,${Buffer.from(bytes).toString('base64')}`
    try {
      // Functions are compiled at their first call, so that this takes a millisecond for hundreds of kilobytes.
      return new WebAssembly.Module(bytes)
    } catch (error) {
      const { codes, model } = current.manifest
      const reason = `target '${code.target}' cannot run here: ${(error as Error).message}`
      const next = codes.indexOf(code) + 1
      // What this process cannot compile is no damage: the bundle's next code may do, unless this one was asked for.
      if (target || !codes[next]) fail('target-unavailable', reason, error)
      chosen = choose(current, next, reason)
      process.emitWarning(
        `model '${model}' runs on target '${chosen.code.target}': ${reason}`,
        'GlowplugWarning',
        'GLOWPLUG_FALLBACK',
      )
      return compile()
    }
  }

  return {
    choice,
    plan(verify) {
      compiled ??= compile()
      const { manifest, place, code, entry } = choice()
      const { file, bytes } = manifest.weights
      return { code: compiled, entry, place: place(file), bytes, weights: code.weights, verify }
    },
  }
}
