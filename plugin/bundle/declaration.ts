import type { Manifest, TensorSignature } from '../../targets/runtime/manifest.ts'
import { arrayOf, byteSize } from '../../targets/runtime/tensor.ts'

const quote = (text: string): string => JSON.stringify(text)
const tuple = (items: readonly (number | string)[]): string => `readonly [${items.join(', ')}]`

/** What may be passed for an element type, beside its typed array. */
function accepted(dtype: string): string {
  const array = arrayOf(dtype).name
  if (/^b?f(16|8)/.test(dtype)) return array
  if (/^[iu]64$/.test(dtype)) return `${array} | Int32Array | readonly number[] | readonly bigint[]`
  if (dtype === 'bool') return `${array} | readonly boolean[] | readonly number[]`
  return dtype === 'u8' ? `${array} | Uint8ClampedArray | readonly number[]` : `${array} | readonly number[]`
}

const fields = (tensors: readonly TensorSignature[], typeOf: (tensor: TensorSignature) => string): string =>
  tensors
    .map(
      (tensor) => `\n  /** ${tensor.dtype}[${tensor.shape.join(', ')}] */\n  readonly ${quote(tensor.name)}: ${typeOf(tensor)}`,
    )
    .join('')

const table = (tensors: readonly TensorSignature[], offsets: readonly number[]): string =>
  tuple(
    tensors.map(
      (tensor, i) =>
        `{ readonly name: ${quote(tensor.name)}; readonly dtype: ${quote(tensor.dtype)}; readonly shape: ${tuple(tensor.shape)}; readonly offset: ${offsets[i]}; readonly bytes: ${byteSize(tensor)} }`,
    ),
  )

function infoOf({ model, entries, codes }: Manifest): string {
  return codes
    .map(({ target, level, weights, entries: [entry] }) => {
      const regions = Object.entries(entry!.regions).map(([name, bytes]) => `readonly ${name}: ${bytes}`)
      return `InfoOf<${quote(model)}, ${quote(target)}, ${quote(level)}, { ${regions.join('; ')} }, ${weights.bytes}, ${table(entries[0]!.inputs, entry!.inputs)}, ${table(entries[0]!.outputs, entry!.outputs)}>`
    })
    .map((info) => `\n  | ${info}`)
    .join('')
}

/**
 * Declarations of a module whose default export is the opened model: names, element types, shapes, offsets and region sizes as literals.
 * Needs no other file and no library but the language's own.
 */
export function declarationOf(manifest: Manifest): string {
  const { inputs, outputs } = manifest.entries[0]!
  const array = ({ dtype }: TensorSignature) => arrayOf(dtype).name
  return `// Written by glowplug ${manifest.glowplug}.

export interface Inputs {${fields(inputs, ({ dtype, shape }) => `Input<${accepted(dtype)}, ${tuple(shape)}>`)}
}

export interface Outputs {${fields(outputs, (tensor) => `Output<${array(tensor)}, ${tuple(tensor.shape)}>`)}
}

/** Inputs and outputs in place: write, run, read. Allocates nothing. */
export interface Binding {
  readonly inputs: {${fields(inputs, array).replaceAll('\n', '\n  ')}
  }
  readonly outputs: {${fields(outputs, array).replaceAll('\n', '\n  ')}
  }
  /** Runs on the calling thread. */
  run(): void
}

/** Offsets, sizes and regions in bytes. */
export type Info =${infoOf(manifest)}

export interface Model {
  readonly name: ${quote(manifest.model)}
  readonly info: Info
  /** Runs on a worker thread. Inputs are copied before it returns; the caller owns the outputs. */
  run(inputs: Inputs, options?: { readonly into?: Into; readonly signal?: Signal }): Promise<Outputs>
  /** Runs on the calling thread, which waits. */
  runSync(inputs: Inputs, options?: { readonly into?: Into }): Outputs
  bind(): Binding
  /** Loads, verifies, starts the workers and warms them up. */
  ready(): Promise<void>
  /** Ends the workers. Runs without an answer, and all later ones, fail with code \`closed\`. */
  close(): Promise<void>
}

declare const model: Model
export default model

/** What the model throws and rejects with; \`code\` tells what went wrong and stays the same across versions. */
export declare class GlowplugError extends Error {
  readonly code: string
}

type Input<Data, Shape> = Data | { readonly data: Data; readonly shape?: Shape | readonly number[] }

export interface Output<Data, Shape> {
  readonly data: Data
  readonly shape: Shape
}

/** Arrays for outputs, or an earlier result. */
type Into = { readonly [Name in keyof Outputs]?: Outputs[Name] | Outputs[Name]['data'] }

/** An AbortSignal. */
interface Signal {
  readonly aborted: boolean
  readonly reason: any
  addEventListener(type: 'abort', listener: () => void): void
  removeEventListener(type: 'abort', listener: () => void): void
}

interface InfoOf<Name, Target, Level, Regions, WeightBytes, Ins, Outs> {
  readonly model: Name
  readonly target: Target
  readonly level: Level
  /** Why the first target was not taken. */
  readonly fallback?: string
  readonly instances: number
  readonly regions: Regions
  readonly weightBytes: WeightBytes
  readonly inputs: Ins
  readonly outputs: Outs
  readonly glowplug: string
  readonly toolchain: Readonly<Record<string, string>>
}
`
}
