// Functions among the arguments of a call: each reads nothing but its parameters, and is one text to what looks for repetition.
import { isPlainObject } from '../../check.ts'
import type { Tensor } from '../../tensor.ts'
import { isTensor } from '../../tracer.ts'
import { liveStatements, tensorsIn } from '../record/live.ts'
import { partsOf } from '../record/recorder.ts'
import type { Argument, RecordedBody, Recording, Statement } from '../record/statement.ts'
import type { Form, Value } from './program.ts'
import type { Reading } from './reading.ts'
import { printNumber } from './text.ts'

type Read = (statement: Statement, recording: Recording, valueOf: (tensor: Tensor) => Value) => Reading

/** `(turn, [a, b]) => { const c = add(a, b); return { carried: [c, a] } }` */
export function bodyForm(body: RecordedBody, recording: Recording, read: Read, depth = 0): Form {
  const names = new Map<Tensor, string>()
  const uses = new Set<string>()
  let count = 0
  const fresh = (letter: string) => `${letter}${depth === 0 ? '' : `${depth}_`}${count++}`
  const parameter = (given: Argument): string => {
    if (Array.isArray(given)) return `[${given.map(parameter).join(', ')}]`
    const name = fresh('p')
    names.set(given as Tensor, name)
    return name
  }
  const parameters = body.parameters.map(parameter)

  /** Values are known by their tensors, for which `valueOf` makes a handle. */
  const handles = new Map<Tensor, Value>()
  const tensors = new Map<Value, Tensor>()
  const valueOf = (tensor: Tensor): Value => {
    const known = handles.get(tensor) ?? { id: handles.size, dtype: tensor.dtype }
    handles.set(tensor, known)
    tensors.set(known, tensor)
    return known
  }
  const textOf = ({ form: whole, values, scalars }: Reading): string => {
    const make = (form: Form): string => {
      switch (form.kind) {
        case 'value':
          return names.get(tensors.get(values[form.index]!)!)!
        case 'scalar':
          return scalars[form.index]!.key
        case 'text':
          for (const name of form.uses ?? []) uses.add(name)
          return form.text
        case 'list':
          return `[${form.items.map(make).join(', ')}]`
        case 'object': {
          const entries = form.entries.flatMap(({ key, form: inner, fallback }) => {
            const given = inner.kind === 'scalar' ? scalars[inner.index]! : undefined
            const isLeftOut =
              given?.kind === 'number' && (given.isImplied || (fallback !== undefined && given.key === printNumber(fallback)))
            return isLeftOut ? [] : [`${key}: ${make(inner)}`]
          })
          return entries.length === 0 ? '{}' : `{ ${entries.join(', ')} }`
        }
        case 'call': {
          const parts = form.parts.map(make)
          while (parts.at(-1) === '{}' || parts.at(-1) === 'undefined') parts.pop()
          uses.add(form.callee)
          return `${form.callee}(${parts.join(', ')})`
        }
      }
    }
    return make(whole)
  }

  const lines = liveStatements(body.statements, tensorsIn(body.returned), recording.sourceOf).statements.map((statement) => {
    const text = textOf(read(statement, recording, valueOf))
    const parts = partsOf(statement.result)
    if (statement.result.kind === 'one') {
      const name = fresh('v')
      names.set(statement.result.tensor, name)
      return `const ${name} = ${text}`
    }
    const name = fresh('r')
    for (const [part, tensor] of parts) names.set(tensor, typeof part === 'number' ? `${name}[${part}]!` : `${name}.${part}`)
    return `const ${name} = ${text}`
  })

  const returned = (value: Argument): string => {
    if (isTensor(value)) {
      const name = names.get(value)
      if (name) return name
      // A weight or a literal: written where it is returned.
      const around: Statement = { call: 'negate', arguments: [value], result: { kind: 'one', tensor: value }, origin: '' }
      const reading = read(around, recording, valueOf)
      return textOf(reading.form.kind === 'call' ? { ...reading, form: reading.form.parts[0]! } : reading)
    }
    if (Array.isArray(value)) return `[${value.map(returned).join(', ')}]`
    if (isPlainObject(value))
      return `{ ${Object.entries(value)
        .filter(([, part]) => part !== undefined)
        .map(([key, part]) => `${key}: ${returned(part as Argument)}`)
        .join(', ')} }`
    return String(value)
  }
  const result = returned(body.returned)
  const text =
    lines.length === 0
      ? `(${parameters.join(', ')}) => ${result.startsWith('{') ? `(${result})` : result}`
      : `(${parameters.join(', ')}) => { ${[...lines, `return ${result}`].join('; ')} }`
  return { kind: 'text', text, uses: [...uses] }
}
