import type { Quantization } from '../../../compiler/graph/index.ts'
import { shortest } from '../record/numbers.ts'
import type { Recording } from '../record/statement.ts'
import { writeBlock } from './block.ts'
import type { Surroundings } from './calls.ts'
import { broken, type Doc, group, hardLine, indent, join, line, lines, separated, softLine, whenBroken } from './document.ts'
import { atom, callOf, docOf, type Expression, listOf, objectOf } from './expression.ts'
import type { Helper } from './helper.ts'
import type { Body, Parameter, Template } from './program.ts'
import { scalarText } from './scalars.ts'
import type { Block } from './statements.ts'
import { camelCase, createScope, printNumber, quoted, type Scope } from './text.ts'
import { inWords } from './vocabulary.ts'

const types = { text: 'string', number: 'number', padding: "number | 'same'" } as const
const parameterType = ({ kind }: Parameter): string => types[kind]

/** An entry of an object. */
export const comma = (doc: Doc): Doc => join(doc, ',')
/** Lines between braces. */
export const block = (open: string, content: readonly Doc[], close: string): Doc =>
  broken(join(open, indent(join(hardLine, lines(content))), hardLine, close))

/** A helper as a function, behind the type of its options. */
export function functionDoc(helper: Helper, around: Surroundings): Doc {
  const { template, name, scope, operands, names, positional, options, optionsType } = helper
  const nameOf = (parameter: (typeof positional)[number]) => names.get(parameter)!
  const written: Block = writeBlock(
    template.body,
    template.results.map((value) => ({ value, words: [] })),
    new Map(operands),
    scope,
    nameOf,
    around,
  )
  around.use('type Tensor')
  const parameters = [
    ...[...operands].map(([{ dtype }, label]) => `${label}: Tensor<'${dtype}'>`),
    ...positional.map((parameter) => `${nameOf(parameter)}: ${parameterType(parameter)}`),
  ]
  if (optionsType) {
    const entries = options.map(({ parameter, fallback }) =>
      fallback ? `${nameOf(parameter)} = ${scalarText(fallback, nameOf)}` : nameOf(parameter),
    )
    const isOptional = options.every(({ fallback }) => fallback !== undefined)
    parameters.push(`{ ${entries.join(', ')} }: ${optionsType}${isOptional ? ' = {}' : ''}`)
  }
  const [first] = written.outputs
  const result =
    written.outputs.length === 1 ? join('return ', docOf(first!)) : join('return ', docOf(listOf(written.outputs)), ' as const')
  const head = group(
    join(`function ${name}(`, indent(join(softLine, separated(parameters, join(',', line)))), whenBroken(','), softLine, ') {'),
  )
  const declaration = join(head, broken(join(indent(join(hardLine, lines([...written.statements, result]))), hardLine, '}')))
  const type = optionsType
    ? [
        block(
          `interface ${optionsType} {`,
          options.map(
            ({ parameter, fallback }) => `readonly ${nameOf(parameter)}${fallback ? '?' : ''}: ${parameterType(parameter)}`,
          ),
          '}',
        ),
        '',
      ]
    : []
  return lines([...type, comment(template, around), declaration])
}

/** What a helper does, step by step. */
function comment({ body }: Template, around: Surroundings): Doc {
  const words = body.map(({ pattern }) => (pattern.template ? around.helperOf(pattern.template).name : inWords(pattern.call)))
  const distinct = words.filter((word, i) => word !== words[i - 1])
  const shown = distinct.length > 8 ? `${distinct.slice(0, 6).join(', ')} and so on` : distinct.join(', ')
  return `/** ${sentence(shown)}. */`
}

/** With a capital. */
export const sentence = (text: string): string => text.slice(0, 1).toUpperCase() + text.slice(1)

/** `inputs` and `forward` of an entry. */
export function entryDoc(
  recording: Recording,
  body: Body,
  module: Scope,
  around: Surroundings,
  dimNames: ReadonlyMap<string, string>,
): Doc[] {
  const scope = createScope(module)
  const names = new Map(
    body.inputs.map(({ name, value }) => [
      value,
      scope.take(camelCase(name) === name ? name : (camelCase(name) ?? 'input'), 'input'),
    ]),
  )
  const outputs = body.outputs.map(({ name, value }) => ({ value, words: [camelCase(name) ?? 'output'] }))
  const written = writeBlock(body.items, outputs, names, scope, () => 'undefined', around)
  const states = new Set(recording.states)
  const callers = recording.inputs.filter(({ name }) => !states.has(name))
  const inputs = callers.map(({ name, type, dims }): readonly [string, Expression] => {
    const sizes = type.shape.map((size, axis) => atom(dimNames.get(dims?.[axis] ?? '') ?? String(size)))
    around.use('tensor')
    const stored = type.quantization ? [quantizationOf(type.quantization)] : []
    return [keyOf(name), callOf('tensor', atom(quoted(type.dtype)), listOf(sizes), ...stored)]
  })
  const isComputed = body.items.some(({ pattern }) => pattern.template !== undefined)
  const given = [...names.values()].slice(0, body.inputs.length)
  const returned = body.outputs.map(({ name, shape }, i): readonly [string, Expression] => {
    const value = written.outputs[i]!
    // Behind helpers the editor no longer knows the shape.
    const isUnknown = isComputed && !(value.kind === 'atom' && given.includes(value.text))
    if (isUnknown) around.use('expectShape')
    return [keyOf(name), isUnknown ? callOf('expectShape', value, listOf(shape.map((size) => atom(String(size))))) : value]
  })
  const read = new Set([...body.items.flatMap(({ values }) => values), ...body.outputs.map(({ value }) => value)])
  const labelsOf = (isState: boolean) =>
    body.inputs.flatMap(({ name, value }) => {
      if (!read.has(value) || states.has(name) !== isState) return []
      return names.get(value) === name ? [name] : [`${keyOf(name)}: ${names.get(value)}`]
    })
  const pattern = (labels: readonly string[]) =>
    labels.length === 0
      ? '{}'
      : group(join('{', indent(join(line, separated(labels, join(',', line)))), whenBroken(','), line, '}'))
  const [labels, carried] = [labelsOf(false), labelsOf(true)]
  const parameters =
    labels.length + carried.length === 0
      ? 'forward() {'
      : join('forward(', pattern(labels), ...(carried.length > 0 ? [', ', pattern(carried)] : []), ') {')
  return [
    join('inputs: ', docOf(objectOf(inputs))),
    join(
      parameters,
      broken(
        join(indent(join(hardLine, lines([...written.statements, join('return ', docOf(objectOf(returned)))]))), hardLine, '}'),
      ),
    ),
  ]
}

/** `state` of the model; undefined where it has none. */
export function statesDoc({ inputs, states = [] }: Recording, around: Surroundings): Doc | undefined {
  if (states.length === 0) return undefined
  around.use('state')
  const entries = states.map((name): readonly [string, Expression] => {
    const { dtype, shape } = inputs.find((input) => input.name === name)!.type
    return [keyOf(name), callOf('state', atom(quoted(dtype)), listOf(shape.map((size) => atom(String(size)))))]
  })
  return join('state: ', docOf(objectOf(entries)))
}

/** What the integers of an input stand for. */
function quantizationOf({ scale, zeroPoint, axis }: Quantization): Expression {
  const written = (list: readonly number[]) => {
    const numbers = list.map((value) => atom(printNumber(value)))
    return numbers.length === 1 ? numbers[0]! : listOf(numbers)
  }
  return objectOf([
    ['scale', written(scale.map((value) => shortest('f32', value)))],
    ...(zeroPoint.some((value) => value !== 0) ? [['zeroPoint', written(zeroPoint)] as const] : []),
    ...(axis === undefined ? [] : [['axis', atom(String(axis))] as const]),
  ])
}

/** An identifier as it is, anything else quoted. */
export const keyOf = (name: string): string => (/^[A-Za-z_$][\w$]*$/.test(name) && name !== '__proto__' ? name : quoted(name))
