import { checkBuckets } from '../buckets.ts'
import { fail, GlowplugError } from '../error.ts'
import type { Manifest, StateUse, TensorSignature } from '../manifest.ts'
import { checkState } from '../sessions/model.ts'
import { byteSize, dtypeNames, elementCount } from '../tensor.ts'
import type { Flow, InputUse, PlacedPart, PlacedSource, Placement } from './placement.ts'
import { placementFormat } from './placement.ts'

/** A whole number below 2^32, any number of at least 0, a text, a list whose items are all alike, or an object with at least these fields. */
type Form = 'size' | 'amount' | RegExp | ((value: unknown, field: string) => void) | readonly [Form] | FormOfObject
interface FormOfObject {
  readonly [field: string]: Form
}

const text = /^.{0,65535}$/s
const digest = /^sha256-[0-9a-f]{64}$/
/** A name that can lead nowhere but into the folder of the placement. */
const file = { file: /^\w[\w.@+-]{0,254}$/, bytes: 'size', digest } as const
const tensors = [{ name: text, dtype: RegExp(`^(${dtypeNames.join('|')})$`), shape: ['size'] }] as const

/** Longer lists are damage. */
const maximumItems = 65536

function wrong(field: string, what: string): never {
  fail('placement-malformed', `the placement is damaged at ${field}: ${what}`)
}

function match(value: any, form: Form, field: string): void {
  if (typeof form === 'function') form(value, field)
  else if (form === 'size') {
    if (value >>> 0 !== value) wrong(field, 'expected a whole number below 2^32')
  } else if (form === 'amount') {
    if (!(Number.isFinite(value) && value >= 0)) wrong(field, 'expected a number of at least 0')
  } else if (form instanceof RegExp) {
    if (typeof value !== 'string' || !form.test(value)) wrong(field, 'expected another text')
  } else if (Array.isArray(form)) {
    if (!Array.isArray(value) || value.length > maximumItems) wrong(field, `expected a list of at most ${maximumItems}`)
    for (const [i, item] of value.entries()) match(item, form[0], `${field}.${i}`)
  } else {
    if (Object(value) !== value) wrong(field, 'expected an object')
    for (const [key, inner] of Object.entries(form)) match(value[key], inner, `${field}.${key}`)
  }
}

/** Matches where there is something. */
const optional =
  (form: Form): Form =>
  (value, field) =>
    value === undefined || match(value, form, field)

const source: Form = (value, field) =>
  match(value, Object(value).input === undefined ? { step: 'size', output: 'size' } : { input: 'size' }, field)
const place: Form = (value, field) => value === 'host' || match(value, ['size'], field)

const threads: Form = (value, field) => {
  if (!(Number.isInteger(value) && (value as number) >= 1 && (value as number) <= 1024))
    wrong(field, 'expected 1 to 1024 threads')
}

const states: Form = (value, field) => {
  const kept = optional({ part: 'size', index: 'size' })
  match(value, [{ ...tensors[0], input: text, output: text, initial: optional(file), kept }], field)
  const list = value as NonNullable<Placement['states']>
  for (const key of ['name', 'input', 'output'] as const)
    if (!isDistinct(list.map((state) => state[key]))) wrong(field, `expected different ${key}s`)
}

/** What a step reads of an input; null is all. */
const ranges: Form = (value, field) =>
  value === null ||
  match(
    value,
    [{ from: 'size', to: 'size', used: optional({ by: /^(lengths|offsets)$/, input: 'size', from: 'size', to: 'size' }) }],
    field,
  )

const form: Form = {
  glowplug: text,
  model: text,
  platform: text,
  cards: [text],
  entries: [{ name: text, inputs: tensors, outputs: tensors }],
  states: optional(states),
  parts: [{ name: text, on: place, bundle: file, seconds: 'amount', threads: optional(threads) }],
  flows: [
    {
      steps: [{ part: 'size', entry: text, inputs: [source], reads: optional([ranges]) }],
      outputs: [source],
      uses: [
        {
          indices: optional([{ table: text, rows: 'size', from: 'size', to: 'size' }]),
          lengthsOf: optional('size'),
          offsetsOf: optional('size'),
          weightsOf: optional('size'),
          groups: optional([{ from: 'size', to: 'size', ofFrom: 'size', ofTo: 'size' }]),
        },
      ],
    },
  ],
}

const isDistinct = (names: readonly unknown[]): boolean => new Set(names).size === names.length
const describe = ({ dtype, shape }: TensorSignature): string => `${dtype}[${shape.join(', ')}]`

/** Sources of one step or of the entry: all exist, earlier steps alone, and give what is read. */
function checkSources(
  field: string,
  sources: readonly PlacedSource[],
  wanted: readonly TensorSignature[],
  inputs: readonly TensorSignature[],
  made: readonly (readonly TensorSignature[])[],
): void {
  if (sources.length !== wanted.length) wrong(field, `expected ${wanted.length} sources, found ${sources.length}`)
  sources.forEach((from, i) => {
    const given = 'input' in from ? inputs[from.input] : made[from.step]?.[from.output]
    if (!given) wrong(`${field}.${i}`, 'input' in from ? `there is no input ${from.input}` : 'no earlier step gives that')
    else if (describe(given) !== describe(wanted[i]!))
      wrong(`${field}.${i}`, `expected ${describe(wanted[i]!)}, what it reads is ${describe(given)}`)
  })
}

/** What a step reads: parts of its inputs, one behind the other, and as many as integers say that a request brings. */
function checkReads(
  field: string,
  reads: NonNullable<Flow['steps'][number]['reads']>,
  wanted: readonly TensorSignature[],
  inputs: readonly TensorSignature[],
): void {
  if (reads.length !== wanted.length) wrong(field, `expected one for each of ${wanted.length} inputs, found ${reads.length}`)
  reads.forEach((ranges, i) => {
    let end = 0
    for (const { from, to, used } of ranges ?? []) {
      if (from < end || to < from || to > elementCount(wanted[i]!.shape))
        wrong(`${field}.${i}`, 'expected parts of it in their order')
      end = to
      const given = used && inputs[used.input]
      if (used?.by === 'offsets' && used.from === used.to) wrong(`${field}.${i}`, 'expected the last of several offsets')
      if (used && !(given && /^[iu]\d/.test(given.dtype) && used.from <= used.to && used.to <= elementCount(given.shape)))
        wrong(`${field}.${i}`, 'expected integers of an input')
    }
  })
}

function checkUses(field: string, uses: readonly InputUse[], inputs: readonly TensorSignature[]): void {
  if (uses.length !== inputs.length) wrong(field, `expected one for each of ${inputs.length} inputs, found ${uses.length}`)
  uses.forEach((use, i) => {
    const { indices = [], lengthsOf, offsetsOf, weightsOf, groups = [] } = use
    const count = elementCount(inputs[i]!.shape)
    if (indices.some(({ from, to }) => from > to || to > count))
      wrong(`${field}.${i}.indices`, `expected parts of ${count} elements`)
    const others = elementCount(inputs[lengthsOf ?? offsetsOf ?? weightsOf ?? i]?.shape ?? [])
    if (groups.some(({ from, to, ofFrom, ofTo }) => from > to || to > count || ofFrom > ofTo || ofTo > others))
      wrong(`${field}.${i}.groups`, `expected parts of ${count} elements about parts of ${others}`)
    for (const of of [lengthsOf, offsetsOf, weightsOf])
      if (of !== undefined && !inputs[of]) wrong(`${field}.${i}`, `there is no input ${of}`)
    if ((indices.length > 0 || (lengthsOf ?? offsetsOf) !== undefined) && !/^[iu]\d/.test(inputs[i]!.dtype))
      wrong(`${field}.${i}`, `expected integers, the input is ${inputs[i]!.dtype}`)
  })
}

function checkFlow(
  field: string,
  { steps, outputs, uses }: Flow,
  entry: Placement['entries'][number],
  parts: Placement['parts'],
  manifests: readonly Manifest[],
): void {
  const made: (readonly TensorSignature[])[] = []
  steps.forEach(({ part, entry: name, inputs, reads }, s) => {
    const at = `${field}.steps.${s}`
    if (!parts[part]) wrong(`${at}.part`, `there is no part ${part}`)
    const own = manifests[part]!.entries.find((each) => each.name === name)
    if (!own) wrong(`${at}.entry`, `part '${parts[part]!.name}' has no entry '${name}'`)
    checkSources(`${at}.inputs`, inputs, own!.inputs, entry.inputs, made)
    if (reads) checkReads(`${at}.reads`, reads, own!.inputs, entry.inputs)
    made.push(own!.outputs)
  })
  checkSources(`${field}.outputs`, outputs, entry.outputs, entry.inputs, made)
  checkUses(`${field}.uses`, uses, entry.inputs)
}

/** What the bundle of a part says of its states, as far as placements and sessions rely on it. */
function checkOwnStates(field: string, { entries, state, codes }: Manifest): void {
  if (!state) return
  match(state, { bytes: 'size', tensors: [{ ...tensors[0], offset: 'size' }] }, `${field}.state`)
  checkState(state)
  const isIndex = (value: unknown) => Number.isInteger(value) && state.tensors[value as number] !== undefined
  const isUse = ({ reads, renews }: Partial<StateUse>) =>
    [reads, renews].every((list) => Array.isArray(list) && list.every(isIndex))
  const fits =
    state.tensors.every((tensor) => tensor.offset + byteSize(tensor) <= state.bytes) &&
    codes.every((code) => code.entries.every(({ regions }) => (regions.state ?? 0) <= state.bytes))
  if (!fits) wrong(`${field}.state`, `expected states that lie in ${state.bytes} bytes`)
  if (!entries.every(({ state: use }) => use === undefined || isUse(Object(use))))
    wrong(`${field}.entries`, 'expected states that there are')
}

/** States of parts: each is one of its bundle's, and a flow runs a part that has some once. */
function checkKept({ states = [], parts, flows }: Placement, manifests: readonly Manifest[]): void {
  manifests.forEach((manifest, part) => {
    checkOwnStates(`placement.parts.${part}.bundle`, manifest)
  })
  states.forEach((state, i) => {
    if (!state.kept) return
    const { part, index } = state.kept
    const own = manifests[part]?.state?.tensors[index]
    if (!own) wrong(`placement.states.${i}.kept`, `part ${part} has no state ${index}`)
    else if (describe(own) !== describe(state))
      wrong(`placement.states.${i}.kept`, `expected ${describe(state)}, '${parts[part]!.name}' has ${describe(own)}`)
  })
  flows.forEach(({ steps }, f) => {
    const stateful = steps.filter(({ part }) => manifests[part]?.state).map(({ part }) => part)
    if (!isDistinct(stateful)) wrong(`placement.flows.${f}.steps`, `a part with states runs twice: ${stateful}`)
  })
}

/**
 * Checks a parsed placement in bounded time, since it may come from a damaged or foreign file. `read` gives the manifest of a bundle, and is
 * asked once for each. Returns the placement, and the manifest of each part. Errors: `bundle-format` when another version made it, otherwise
 * `placement-malformed`, which names the field, and what `read` throws.
 */
export function checkPlacement(
  value: unknown,
  read: (bundle: PlacedPart['bundle']) => Manifest,
): { readonly placement: Placement; readonly manifests: readonly Manifest[] } {
  const { format, glowplug } = Object(value)
  if (format !== placementFormat)
    fail(
      'bundle-format',
      `the placement has format ${format} of glowplug ${glowplug}, this loader reads ${placementFormat}; build it again`,
    )
  match(value, form, 'placement')
  const placement = value as Placement
  const { cards, entries, parts, flows, model } = placement
  if (entries.length === 0 || flows.length !== entries.length)
    wrong('placement.flows', `expected one for each of ${entries.length} entries, found ${flows.length}`)
  for (const [field, list] of Object.entries({
    cards: [...cards],
    entries: entries.map(({ name }) => name),
    parts: parts.map(({ name }) => name),
  }))
    if (!isDistinct(list)) wrong(`placement.${field}`, 'expected different names')
  parts.forEach(({ name, on }, i) => {
    if (on !== 'host' && (on.length === 0 || !isDistinct(on) || on.some((card) => card >= cards.length)))
      wrong(`placement.parts.${i}.on`, `part '${name}' is on cards ${on.join(', ') || 'nowhere'}; there are ${cards.length}`)
  })
  const known = new Map<string, { readonly bundle: PlacedPart['bundle']; readonly manifest: Manifest }>()
  const manifests = parts.map(({ bundle }, i) => {
    const before = known.get(bundle.file)
    if (before && (before.bundle.digest !== bundle.digest || before.bundle.bytes !== bundle.bytes))
      wrong(`placement.parts.${i}.bundle`, `${bundle.file} has two digests`)
    const manifest = before?.manifest ?? read(bundle)
    known.set(bundle.file, { bundle, manifest })
    return manifest
  })
  for (const [i, flow] of flows.entries()) checkFlow(`placement.flows.${i}`, flow, entries[i]!, parts, manifests)
  checkKept(placement, manifests)
  try {
    checkBuckets(placement)
  } catch (error) {
    if (!(error instanceof GlowplugError) && !(error instanceof TypeError)) throw error
    fail('placement-malformed', `the placement of '${model}' is damaged at placement.buckets`, error)
  }
  return { placement, manifests }
}
