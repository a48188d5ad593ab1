// Outputs whose size data decides: the bundle computes them as large as they can be, and beside them counts, outputs called
// `<output>.count<axis>`. Callers get what is filled. Loaded by programs whose models have such outputs alone.
import { moveCommon } from './buckets.ts'
import { fail } from './error.ts'
import type { TensorValue } from './tensor.ts'

type Results = Record<string, TensorValue>
interface Runner {
  run(inputs: any, options?: any): Promise<any>
  runSync?(inputs: any, options?: any): any
}

export const counted = /^(.+)\.count(\d+)$/

/** Outputs by name, each with its counts: `[axis, output]`. */
export function countsIn(names: readonly string[]): ReadonlyMap<string, readonly (readonly [axis: number, name: string])[]> {
  const counts = new Map<string, (readonly [number, string])[]>()
  for (const name of names) {
    const [, output, axis] = counted.exec(name) ?? []
    if (output !== undefined) counts.set(output, [...(counts.get(output) ?? []), [Number(axis), name]])
  }
  return counts
}

/** What is filled of the results of a run, without the counts. Arrays of the caller stay whole, and are looked at in part. */
export function trimmed(results: Results, into: any = {}): Results {
  const counts = countsIn(Object.keys(results))
  const given = Object.entries(results).filter(([name]) => !counted.test(name))
  return Object.fromEntries(
    given.map(([name, value]) => {
      const shape = [...value.shape]
      for (const [axis, count] of counts.get(name) ?? []) {
        const size = Number(results[count]!.data[0])
        if (!(size >= 0 && size <= shape[axis]!))
          fail('run-fault', `output '${name}' says that ${size} of the ${shape[axis]} along axis ${axis} are filled`)
        shape[axis] = size
      }
      if (`${shape}` === `${value.shape}`) return [name, value]
      const { data } = value
      moveCommon(shape, data, value.shape, data, shape)
      const length = shape.reduce((product, size) => product * size, 1)
      return [name, { data: into?.[name] ? data.subarray(0, length) : data.slice(0, length), shape: Object.freeze(shape) }]
    }),
  )
}

/** `info` as callers see it: sizes of outputs are bounds along the axes that `bounded` lists. */
export function boundedInfo(info: any): any {
  const outputs: readonly any[] | undefined = info.outputs
  if (!outputs) return info
  const counts = countsIn(outputs.map(({ name }) => name))
  const shown = outputs
    .filter(({ name }) => !counted.test(name))
    .map((tensor) => {
      const axes = counts.get(tensor.name)?.map(([axis]) => axis)
      return axes ? { ...tensor, bounded: axes } : tensor
    })
  return { ...info, outputs: shown }
}

/** An entry, a model or a session of one whose runs give what is filled. What else it has stays. */
export function trimming<T extends Runner>(runner: T): T {
  const own: any = {
    run: async (inputs: any, options: any) => trimmed(await runner.run(inputs, options), options?.into),
    runSync: (inputs: any, options: any) => trimmed(runner.runSync!(inputs, options), options?.into),
  }
  const result = Object.create(runner, {
    run: { value: own.run, enumerable: true },
    ...('runSync' in runner && { runSync: { value: own.runSync, enumerable: true } }),
    ...('info' in runner && { info: { get: () => boundedInfo((runner as any).info), enumerable: true } }),
  })
  return result
}

const trimmingAll = (entries: Readonly<Record<string, Runner>>) =>
  Object.fromEntries(Object.entries(entries).map(([name, entry]) => [name, trimming(entry)]))

/** The model with outputs as large as they are filled, in its entries and sessions too. */
export function withBounds<M extends Runner>(model: M): M {
  const source: any = model
  const withEntries = (runner: any) => {
    let entries: object | undefined
    return Object.defineProperty(trimming(runner), 'entries', {
      get: () => (entries ??= trimmingAll(runner.entries)),
      enumerable: true,
    })
  }
  const result = withEntries(source)
  if (typeof source.session === 'function')
    Object.defineProperty(result, 'session', {
      value: (...given: any[]) => withEntries(source.session(...given)),
      enumerable: true,
    })
  return result
}

/** Entries of a server; those without such outputs stay as they are. */
export function boundedEntries<E extends Runner>(
  entries: Readonly<Record<string, E>>,
  outputs: readonly { readonly name: string }[],
): Record<string, E> {
  return outputs.some(({ name }) => counted.test(name)) ? (trimmingAll(entries as any) as Record<string, E>) : { ...entries }
}

/** Whether a manifest, or a placement, has outputs whose size data decides. */
export const hasBounds = (entries: readonly { readonly outputs: readonly { readonly name: string }[] }[]): boolean =>
  entries.some(({ outputs }) => outputs.some(({ name }) => counted.test(name)))
