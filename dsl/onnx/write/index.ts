import type { Recording } from '../record/statement.ts'
import type { Surroundings } from './calls.ts'
import { type Doc, join, layout, lines } from './document.ts'
import { shareNetwork } from './entries.ts'
import { atom, callOf, docOf } from './expression.ts'
import { block, comma, entryDoc, functionDoc, keyOf, sentence, statesDoc } from './functions.ts'
import { describeHelper, type Helper } from './helper.ts'
import { importsOf } from './imports.ts'
import { inCallOrder, inlineSingles } from './inline.ts'
import { bodyOf } from './items.ts'
import { extractHelpers } from './mine.ts'
import { inFileOrder, inWritingOrder } from './order.ts'
import { createFactory, type Item, type Template, type Value } from './program.ts'
import { cutIntoSections } from './sections.ts'
import { camelCase, commented, createScope, quoted } from './text.ts'

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
  for (const body of bodies)
    body.items = order(
      body.items,
      body.outputs.map(({ value }) => value),
    )
  const network = shareNetwork(bodies, factory)
  if (network) network.body = order(network.body, network.results)
  const repeated = inlineSingles(bodies, extractHelpers(bodies, network ? [network] : [], factory))
  const templates = inCallOrder([...repeated, ...bodies.flatMap((body) => cutIntoSections(body, factory))])

  const module = createScope()
  const dimNames = new Map(recordings[0]!.dims.map(({ name }) => [name, module.take(camelCase(name) ?? 'size', 'size')]))
  const tables: Doc[] = []
  const helpers = new Map<Template, Helper>()
  const names = new Map<Template, string>()
  const used = new Set(['model'])
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
  const states = statesDoc(main!, around)
  const named = states ? [name, states] : [name]
  const content = isSingle
    ? [...named, ...entries[0]!]
    : [
        ...named,
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
    ...(hasWeights
      ? [join('const w = ', docOf(callOf('weights', callOf('new URL', atom(quoted(weightsFile)), atom('import.meta.url')))))]
      : []),
    ...main!.dims.map(({ name: dim, sizes }) => `const ${dimNames.get(dim)!} = dim(${quoted(dim)}, [${sizes.join(', ')}])`),
  ]
  const parts = [
    lines([...header, importsOf(used)]),
    ...(preamble.length > 0 ? [lines(preamble)] : []),
    ...tables,
    ...functions,
    model,
  ]
  return `${parts.map(layout).join('\n\n')}\n`
}
