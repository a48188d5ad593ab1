import { type ConstantData, definitionOf, isOpName, type TensorType } from '../../../compiler/graph/index.ts'
import { isPlainObject } from '../../check.ts'
import * as vocabulary from '../../index.ts'
import type { Tensor } from '../../tensor.ts'
import { constantOf, isTensor } from '../../tracer.ts'
import { tensorsIn } from './live.ts'
import { writtenValues } from './numbers.ts'
import { type Argument, RecordedBody, type Returned, type Source, type Statement } from './statement.ts'

/** What makes no statement: declarations, and functions whose result is no tensor. */
const omitted = ['model', 'tensor', 'weights', 'dim'] as const

/**
 * Functions that record: calling `d.relu(x)` applies `relu` and notes the call for the writer. Element types and shapes are known at run
 * time alone; the names of functions and options are checked.
 */
export type Vocabulary = Omit<typeof vocabulary, (typeof omitted)[number]>

/** Applies the vocabulary and keeps what was called. Calls run in the current tracer. */
export interface Recorder {
  readonly d: Vocabulary
  readonly statements: readonly Statement[]
  /** Whom the following statements are recorded for. */
  for(origin: string): void
  input(name: string, tensor: Tensor): void
  /** A tensor of the weights file. */
  weight(name: string, type: TensorType, data: ConstantData): Tensor
  /** A constant that is written in the model. */
  literal(type: TensorType, bytes: Uint8Array): Tensor
  sourceOf(tensor: Tensor): Source
}

export function createRecorder(): Recorder {
  const statements: Statement[] = []
  /** Those of the function that is being called, if any. */
  let current = statements
  const sources = new WeakMap<Tensor, Source>()
  let origin = ''

  function record(name: string, apply: (...args: unknown[]) => unknown, given: readonly unknown[]): unknown {
    const plain = withNumbers(name, withoutAbsent(given))
    const bodies = new Map<unknown, RecordedBody>()
    const value = apply(
      ...plain.map((argument) => (typeof argument === 'function' ? recordBody(argument as never, bodies) : argument)),
    )
    const written = plain.map((argument) => bodies.get(argument) ?? argument)
    const result = returnedOf(value)
    if (!result) return value
    if (name === 'constant') {
      sources.set(value as Tensor, { kind: 'literal', values: written[2] as readonly (number | bigint)[] })
      return value
    }
    const statement: Statement = { call: name, arguments: written as readonly Argument[], result, origin }
    let fresh = false
    for (const [part, tensor] of partsOf(result)) {
      // Some functions return what they were given, such as a list of one.
      if (sources.has(tensor)) continue
      sources.set(tensor, { kind: 'result', statement, part })
      fresh = true
    }
    if (fresh) current.push(statement)
    return value
  }

  /** A function that notes what it calls while it runs. */
  function recordBody(body: (...given: readonly Argument[]) => Argument, bodies: Map<unknown, RecordedBody>) {
    return (...given: readonly Argument[]): Argument => {
      const around = current
      const own: Statement[] = []
      current = own
      try {
        for (const tensor of tensorsIn(given)) sources.set(tensor, { kind: 'input', name: '' })
        const returned = body(...given)
        bodies.set(body, new RecordedBody(given, own, returned))
        return returned
      } finally {
        current = around
      }
    }
  }

  /** A number in place of a literal of one element, where an elementwise op meets it with a tensor of the same dtype and result type stays. */
  function withNumbers(name: string, args: readonly unknown[]): readonly unknown[] {
    if (!isOpName(name)) return args
    const { traits, operands } = definitionOf(name)
    const specs = Object.values(operands)
    if (!traits.includes('elementwise') || specs.length < 2) return args
    const scalars = args.map((arg) => (isTensor(arg) ? scalarOf(arg) : undefined))
    return args.map((arg, i) => {
      const scalar = scalars[i]
      if (scalar === undefined || !isTensor(arg)) return arg
      const others = args.filter((other, j): other is Tensor => j !== i && scalars[j] === undefined && isTensor(other))
      const rank = Math.max(...others.map(({ shape }) => shape.length))
      return others.some(({ dtype }) => dtype === arg.dtype) && arg.shape.length <= rank ? scalar : arg
    })
  }

  function scalarOf(tensor: Tensor): number | undefined {
    const source = sources.get(tensor)
    const [value] = source?.kind === 'literal' && source.values.length === 1 ? source.values : []
    // Booleans take no part: a number beside a condition would read as another kind of value.
    return typeof value === 'number' && tensor.dtype !== 'bool' ? value : undefined
  }

  const d = Object.fromEntries(
    Object.entries(vocabulary).flatMap(([name, value]) =>
      typeof value === 'function' && !(omitted as readonly string[]).includes(name)
        ? [[name, (...args: unknown[]) => record(name, value as never, args)]]
        : [],
    ),
  ) as unknown as Vocabulary

  return {
    d,
    statements,
    for(name) {
      origin = name
    },
    input(name, tensor) {
      sources.set(tensor, { kind: 'input', name })
    },
    weight(name, type, data) {
      const tensor = constantOf(type, data)
      sources.set(tensor, { kind: 'weight', name })
      return tensor
    },
    literal: ({ dtype, shape }, bytes) => d.constant(dtype, [...shape], writtenValues(dtype, bytes)),
    sourceOf(tensor) {
      const source = sources.get(tensor)
      if (!source) throw new Error('the tensor was not recorded')
      return source
    },
  }
}

function returnedOf(value: unknown): Returned | undefined {
  if (isTensor(value)) return { kind: 'one', tensor: value }
  if (Array.isArray(value) && value.length > 0 && value.every(isTensor)) return { kind: 'list', tensors: value }
  if (isPlainObject(value) && Object.values(value).every(isTensor))
    return { kind: 'object', tensors: value as Record<string, Tensor> }
  if (!isPlainObject(value)) return undefined
  // Lists of results under names, as of a loop.
  const parts = Object.entries(value).flatMap(([name, part]): (readonly [string, unknown])[] =>
    Array.isArray(part) ? part.map((inner, i) => [`${name}[${i}]`, inner] as const) : [[name, part] as const],
  )
  if (parts.length === 0 || !parts.every(([, part]) => isTensor(part))) return undefined
  return { kind: 'object', tensors: Object.fromEntries(parts) as Record<string, Tensor> }
}

export function partsOf(result: Returned): [part: number | string | undefined, tensor: Tensor][] {
  switch (result.kind) {
    case 'one':
      return [[undefined, result.tensor]]
    case 'list':
      return result.tensors.map((tensor, i) => [i, tensor])
    case 'object':
      return Object.entries(result.tensors)
  }
}

/** Without options that are undefined, options objects that are empty, and `undefined` at the end. */
function withoutAbsent(args: readonly unknown[]): unknown[] {
  const list = args.map((arg) => {
    if (!isPlainObject(arg)) return arg
    const entries = Object.entries(arg).filter(([, value]) => value !== undefined)
    return entries.length > 0 ? Object.fromEntries(entries) : undefined
  })
  while (list.length > 0 && list.at(-1) === undefined) list.pop()
  return list
}
