import type { Recording } from '../record/statement.ts'
import { type Block, parameterType, type Surroundings, writeBlock } from './block.ts'
import { broken, type Doc, group, hardLine, indent, join, layout, line, lines, separated, softLine, whenBroken } from './document.ts'
import { atom, callOf, docOf, type Expression, listOf, objectOf } from './expression.ts'
import { describeHelper, type Helper } from './helper.ts'
import { shareNetwork } from './entries.ts'
import { inCallOrder, inlineSingles } from './inline.ts'
import { bodyOf } from './items.ts'
import { extractHelpers } from './mine.ts'
import { inFileOrder, inWritingOrder } from './order.ts'
import { type Body, createFactory, type Item, type Template, type Value } from './program.ts'
import { scalarText } from './scalars.ts'
import { cutIntoSections } from './sections.ts'
import { camelCase, commented, createScope, quoted, type Scope } from './text.ts'
import { inWords } from './vocabulary.ts'

export interface WriteOptions {
  /** Where the weights lie, seen from the model file: `./face.safetensors`. */
  readonly weightsFile: string
}

/**
 * A model file that makes the graphs that were recorded, one entry for each recording: repeated calls as helpers, loops and tables, weights
 * by their names. Text of the recording comes in as literals and comments alone. Equal recordings give equal text.
 */
export function writeSource(recordings: readonly Recording[], options: WriteOptions): string {
  const orders = [inFileOrder, inWritingOrder]
  const texts = orders.map((order) => writeOrdered(recordings, options, order))
  // The order that shows more of what repeats is the shorter one.
  return texts.reduce((best, text) => (text.length < best.length ? text : best))
}

function writeOrdered(
  recordings: readonly Recording[],
  { weightsFile }: WriteOptions,
  order: (items: readonly Item[], outputs: readonly Value[]) => readonly Item[],
): string {
  const factory = createFactory()
  const bodies = recordings.map((recording) => bodyOf(recording, factory))
  for (const body of bodies) body.items = order(body.items, body.outputs.map(({ value }) => value))
  const network = shareNetwork(bodies, factory)
  if (network) network.body = order(network.body, network.results)
  const repeated = inlineSingles(bodies, extractHelpers(bodies, network ? [network] : [], factory))
  const templates = inCallOrder([...repeated, ...bodies.flatMap((body) => cutIntoSections(body, factory))])

  const module = createScope()
  const dimNames = new Map(recordings[0]!.dims.map(({ name }) => [name, module.take(camelCase(name) ?? 'size', 'size')]))
  const tables: Doc[] = []
  const helpers = new Map<Template, Helper>()
  const names = new Map<Template, string>()
  const used = new Set(['model', 'tensor'])
  const around: Surroundings = {
    use: (called) => void used.add(called),
    helperOf: (template) => helpers.get(template)!,
    table(words, rows, isTuple) {
      const name = module.take(...words)
      tables.push(join(`const ${name} = `, docOf(rows), isTuple ? ' as const' : ''))
      return name
    },
  }
  const lists = [...bodies.map(({ items }) => items), ...templates.map(({ body }) => body)]
  const callsOf = (template: Template) => lists.flatMap((items) => items.filter(({ pattern }) => pattern.template === template))
  const inputNames = new Map(bodies.flatMap(({ inputs }) => inputs.map(({ name, value }) => [value, name] as const)))
  for (const template of templates) {
    const helper = describeHelper(template, callsOf(template), module, names, inputNames)
    helpers.set(template, helper)
    names.set(template, helper.name)
  }
  const functions = templates.map((template) => functionDoc(helpers.get(template)!, around))
  const entries = recordings.map((recording, i) => entryDoc(recording, bodies[i]!, module, around, dimNames))
  const [main] = recordings
  const isSingle = recordings.length === 1 && main!.entry === 'main'
  const name = `name: ${quoted(main!.name)}`
  const content = isSingle
    ? [name, ...entries[0]!]
    : [
        name,
        join(
          'entries: ',
          block(
            '{',
            recordings.map(({ entry }, i) => join(`${keyOf(entry)}: `, block('{', entries[i]!.map(comma), '}'), ',')),
            '}',
          ),
        ),
      ]
  const model = join('export default model(', block('{', content.map(comma), '}'), ')')

  const header = main!.header.map((entry) => `// ${sentence(commented(entry))}`.trimEnd())
  const hasWeights = used.delete('w.get')
  if (hasWeights) used.add('weights')
  if (main!.dims.length > 0) used.add('dim')
  const preamble = [
    ...(hasWeights ? [`const w = weights(new URL(${quoted(weightsFile)}, import.meta.url))`] : []),
    ...main!.dims.map(({ name: dim, sizes }) => `const ${dimNames.get(dim)!} = dim(${quoted(dim)}, [${sizes.join(', ')}])`),
  ]
  const parts = [lines([...header, importsOf(used)]), ...(preamble.length > 0 ? [lines(preamble)] : []), ...tables, ...functions, model]
  return `${parts.map(layout).join('\n\n')}\n`
}

const comma = (doc: Doc): Doc => join(doc, ',')
const block = (open: string, content: readonly Doc[], close: string): Doc =>
  broken(join(open, indent(join(hardLine, lines(content))), hardLine, close))

function functionDoc(helper: Helper, around: Surroundings): Doc {
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
    written.outputs.length === 1
      ? join('return ', docOf(first!))
      : join('return ', docOf(listOf(written.outputs)), ' as const')
  const head = group(join(`function ${name}(`, indent(join(softLine, separated(parameters, join(',', line)))), whenBroken(','), softLine, ') {'))
  const declaration = join(head, broken(join(indent(join(hardLine, lines([...written.statements, result]))), hardLine, '}')))
  const type = optionsType
    ? [
        block(
          `interface ${optionsType} {`,
          options.map(({ parameter, fallback }) => `readonly ${nameOf(parameter)}${fallback ? '?' : ''}: ${parameterType(parameter)}`),
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

const sentence = (text: string): string => text.slice(0, 1).toUpperCase() + text.slice(1)

function entryDoc(recording: Recording, body: Body, module: Scope, around: Surroundings, dimNames: ReadonlyMap<string, string>): Doc[] {
  const scope = createScope(module)
  const names = new Map(body.inputs.map(({ name, value }) => [value, scope.take(camelCase(name) === name ? name : (camelCase(name) ?? 'input'), 'input')]))
  const outputs = body.outputs.map(({ name, value }) => ({ value, words: [camelCase(name) ?? 'output'] }))
  const written = writeBlock(body.items, outputs, names, scope, () => 'undefined', around)
  const inputs = recording.inputs.map(({ name, type, dims }): readonly [string, Expression] => {
    const sizes = type.shape.map((size, axis) => atom(dimNames.get(dims?.[axis] ?? '') ?? String(size)))
    return [keyOf(name), callOf('tensor', atom(quoted(type.dtype)), listOf(sizes))]
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
  const labels = body.inputs.map(({ name, value }) => (names.get(value) === name ? name : `${keyOf(name)}: ${names.get(value)}`))
  const parameters = group(join('forward({', indent(join(line, separated(labels, join(',', line)))), whenBroken(','), line, '}) {'))
  return [
    join('inputs: ', docOf(objectOf(inputs))),
    join(parameters, broken(join(indent(join(hardLine, lines([...written.statements, join('return ', docOf(objectOf(returned)))]))), hardLine, '}'))),
  ]
}

/** One import of everything that is called, sorted as the linter sorts it. */
function importsOf(used: ReadonlySet<string>): Doc {
  const plain = (name: string) => name.replace(/^type /, '')
  const sorted = [...used].sort((a, b) => compareNames(plain(a), plain(b)))
  return group(join('import {', indent(join(line, separated(sorted, join(',', line)))), whenBroken(','), line, "} from 'glowplug'"))
}

/** Letter by letter, capitals before small ones, numbers by their value. */
function compareNames(a: string, b: string): number {
  const parts = (name: string): readonly string[] => name.match(/\d+|\D/g) ?? []
  const [left, right] = [parts(a), parts(b)]
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const [l, r] = [left[i], right[i]]
    if (l === r) continue
    if (l === undefined || r === undefined) return l === undefined ? -1 : 1
    if (/\d/.test(l) && /\d/.test(r)) return Number(l) - Number(r)
    const [low, high] = [l.toLowerCase(), r.toLowerCase()]
    return (low === high ? l < r : low < high) ? -1 : 1
  }
  return 0
}

/** An identifier as it is, anything else quoted. */
const keyOf = (name: string): string => (/^[A-Za-z_$][\w$]*$/.test(name) && name !== '__proto__' ? name : quoted(name))
