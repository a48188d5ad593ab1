import { type DType, elementCount, InvariantError } from '../../../compiler/graph/index.ts'
import { isPlainObject } from '../../check.ts'
import type { Tensor } from '../../tensor.ts'
import { isTensor } from '../../tracer.ts'
import { partsOf } from '../record/recorder.ts'
import { type Argument, RecordedBody, type Recording, type Statement } from '../record/statement.ts'
import { bodyForm } from './bodies.ts'
import { withLeavesInside } from './leaves.ts'
import {
  type Body,
  type Factory,
  type Form,
  type Item,
  impliedNumber,
  numberOf,
  type Scalar,
  samePadding,
  textOf,
  type Value,
} from './program.ts'
import { costOf, createReading, type Reading } from './reading.ts'
import { constants } from './scalars.ts'
import { isSamePadding, simplified } from './simplify.ts'
import { printNumber, quoted } from './text.ts'
import { defaultsOf, isStructural, layerWord, optionsAt, roleAt, takesNumbers, weightRole } from './vocabulary.ts'

/** A recording as the program that mining and printing work on: calls that nothing needs are gone, equal calls are one. */
export function bodyOf(recording: Recording, factory: Factory): Body {
  const values = new Map<Tensor, Value>()
  const known = new Map<string, readonly Value[]>()
  const items: Item[] = []

  const inputs = recording.inputs.map(({ name, tensor }) => {
    const value = factory.value(tensor.dtype)
    values.set(tensor, value)
    return { name, value }
  })

  for (const statement of neededStatements(recording)) {
    const reading = readStatement(statement, recording, (tensor) => values.get(tensor)!)
    const parts = partsOf(statement.result)
    const results = parts.map(([, tensor]) => tensor.dtype as DType)
    const { kind } = statement.result
    const pattern = factory.pattern({
      call: statement.call,
      form: reading.form,
      roles: reading.roles,
      operands: reading.values.map(({ dtype }) => dtype),
      results,
      returns: kind === 'object' ? parts.map(([name]) => String(name)) : kind,
      cost: costOf(reading.form),
      template: undefined,
    })
    const key = `${pattern.id} ${reading.values.map(({ id }) => id).join(' ')} ${reading.scalars.map((scalar) => scalar.key).join(' ')}`
    const made = known.get(key) ?? results.map((dtype) => factory.value(dtype))
    for (const [i, [, tensor]] of parts.entries()) values.set(tensor, made[i]!)
    if (known.has(key)) continue
    known.set(key, made)
    items.push({ pattern, values: reading.values, scalars: reading.scalars, results: made, origins: [statement.origin] })
  }

  const outputs = recording.outputs.map(({ name, tensor }) => {
    const { shape } = tensor
    const source = recording.sourceOf(tensor)
    if (source.kind === 'input' || source.kind === 'result') return { name, value: values.get(tensor)!, shape }
    // A constant as output is a call like any other.
    const reading = readTensor(tensor, recording, 'model', 0)
    const value = factory.value(tensor.dtype)
    const pattern = factory.pattern({
      call: 'constant',
      form: reading.form,
      roles: reading.roles,
      operands: [],
      results: [tensor.dtype],
      returns: 'one',
      cost: costOf(reading.form),
      template: undefined,
    })
    items.push({ pattern, values: [], scalars: reading.scalars, results: [value], origins: [] })
    return { name, value, shape }
  })
  return {
    entry: recording.entry,
    inputs,
    outputs,
    items: withLeavesInside(items, new Set(outputs.map(({ value }) => value)), factory),
  }
}

/** Statements that the outputs reach, in the order of calling. */
function neededStatements({ statements, outputs, sourceOf }: Recording): Statement[] {
  const needed = new Set<Statement>()
  const pending: Argument[] = outputs.map(({ tensor }) => tensor)
  while (pending.length > 0) {
    const argument = pending.pop()
    if (isTensor(argument)) {
      const source = sourceOf(argument)
      if (source.kind !== 'result' || needed.has(source.statement)) continue
      needed.add(source.statement)
      for (const inner of source.statement.arguments) pending.push(inner)
    } else if (Array.isArray(argument)) for (const inner of argument) pending.push(inner)
    else if (isPlainObject(argument)) for (const inner of Object.values(argument)) pending.push(inner as Argument)
  }
  return statements.filter((statement) => needed.has(statement))
}

function readStatement(statement: Statement, recording: Recording, valueOf: (tensor: Tensor) => Value): Reading {
  const { call } = statement
  const reading = createReading()
  const fallbacks = defaultsOf(call)
  const given = withOptions(call, simplified(statement))

  let sliced = 0
  const extentOf = (axis: number) => {
    const extents = (given[0] as { readonly shape: readonly number[] }).shape
    return extents[axis < 0 ? axis + extents.length : axis]
  }

  function read(argument: Argument, index: number, role: string, isTop = false): Form {
    if (isTensor(argument)) {
      const source = recording.sourceOf(argument)
      if (source.kind === 'input' || source.kind === 'result') return reading.value(valueOf(argument))
      return tensorForm(argument, recording, call, index, reading)
    }
    if (typeof argument === 'number' || typeof argument === 'bigint') {
      // Entries of −1 in a shape mean something else than a size.
      if (isStructural(call, role) || (role === 'size' && argument < 0)) return { kind: 'text', text: printNumber(argument) }
      if (call === 'slice' && typeof argument === 'number' && (role === 'start' ? argument === 0 : argument === extentOf(sliced)))
        return reading.scalar(impliedNumber(argument), role)
      if (role === 'padding' && typeof argument === 'number' && isSamePadding(statement, argument))
        return reading.scalar({ ...numberOf(argument), isSame: true } as Scalar, role)
      return reading.scalar(numberOf(isTop && takesNumbers(call) ? namedNumber(argument, given) : argument), role)
    }
    if (argument === 'same' && role === 'padding') return reading.scalar(samePadding, role)
    if (argument instanceof RecordedBody) return bodyForm(argument, recording, readStatement)
    if (Array.isArray(argument)) return { kind: 'list', items: argument.map((item) => read(item, index, role)) }
    if (isPlainObject(argument)) {
      if (call === 'slice') sliced = Number(argument.axis)
      const keys = [...Object.keys(argument)]
      for (const [key, fallback] of Object.entries(fallbacks))
        if (
          typeof fallback === 'number' &&
          !isStructural(call, key) &&
          !keys.includes(key) &&
          isTop &&
          index === given.length - 1
        )
          keys.push(key)
      const order = Object.keys(fallbacks)
      keys.sort((a, b) => order.indexOf(a) - order.indexOf(b))
      return {
        kind: 'object',
        entries: keys.map((key) => {
          const fallback = fallbacks[key]
          const form = read((Object.hasOwn(argument, key) ? argument[key] : fallback) as Argument, index, key)
          return typeof fallback === 'number' && form.kind === 'scalar' ? { key, form, fallback } : { key, form }
        }),
      }
    }
    return { kind: 'text', text: typeof argument === 'string' ? quoted(argument) : String(argument) }
  }

  const parts = given.map((argument, i) => read(argument, i, roleAt(call, i), true))
  return { form: { kind: 'call', callee: call, parts }, ...reading }
}

/** The arguments with an options object, be it empty, where one may stand: calls that differ in options alone are one pattern. */
function withOptions(call: string, given: readonly Argument[]): readonly Argument[] {
  const count = optionsAt(call)
  if (count === undefined || isPlainObject(given.at(-1)) || given.length > count) return given
  return [...given, ...new Array<undefined>(count - given.length).fill(undefined), {}]
}

/** Where a number becomes an f32, the number with a name that is the same f32: √2 in place of 1.4142135. */
function namedNumber(value: number | bigint, given: readonly Argument[]): number | bigint {
  if (!given.some((argument) => isTensor(argument) && argument.dtype === 'f32')) return value
  return constants.find(([, constant]) => Math.fround(constant) === Math.fround(Number(value)))?.[1] ?? value
}

function readTensor(tensor: Tensor, recording: Recording, call: string, index: number): Reading {
  const reading = createReading()
  return { form: tensorForm(tensor, recording, call, index, reading), ...reading }
}

/** A weight or a literal. */
function tensorForm(
  tensor: Tensor,
  recording: Recording,
  call: string,
  index: number,
  reading: ReturnType<typeof createReading>,
): Form {
  const source = recording.sourceOf(tensor)
  const dtype: Form = { kind: 'text', text: quoted(tensor.dtype) }
  const shape = tensor.shape as readonly number[]
  if (source.kind === 'weight') {
    const name = reading.scalar(textOf(source.name), `name:${layerWord(call)}`)
    const sizes = shape.map((size, axis) => reading.scalar(numberOf(size), weightRole(call, index, axis)))
    return { kind: 'call', callee: 'w.get', parts: [name, dtype, { kind: 'list', items: sizes }] }
  }
  if (source.kind !== 'literal') throw new InvariantError('only weights and literals are written where they are used')
  const sizes: Form = { kind: 'list', items: shape.map((size) => ({ kind: 'text', text: String(size) })) }
  const role = roleAt(call, index)
  const element = (value: number | bigint): Form =>
    tensor.dtype === 'bool' ? { kind: 'text', text: value ? 'true' : 'false' } : reading.scalar(numberOf(value), role)
  const { values } = source
  const isRepeated = values.length > 1 && values.every((value) => Object.is(value, values[0]))
  if (isRepeated && elementCount(shape) === values.length)
    return { kind: 'call', callee: 'full', parts: [dtype, sizes, element(values[0]!)] }
  return { kind: 'call', callee: 'constant', parts: [dtype, sizes, { kind: 'list', items: values.map(element) }] }
}
