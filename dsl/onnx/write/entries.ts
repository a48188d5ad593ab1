import { abstractScalars } from './abstraction.ts'
import type { Body, Factory, Item, Parameter, Template, Value } from './program.ts'
import { camelCase } from './text.ts'

/** Numbers that may tell the entries of a model apart. */
const mostParameters = 4

/**
 * The helper that entries share which differ in sizes alone, as those of a model compiled for several lengths do; undefined where they differ
 * in more. Changes the items of the bodies to calls of it.
 */
export function shareNetwork(bodies: readonly Body[], factory: Factory): Template | undefined {
  const [first] = bodies
  if (!first || bodies.length < 2 || !bodies.every((body) => shapeOf(body) === shapeOf(first))) return undefined
  const abstraction = abstractScalars(
    bodies.map(({ items }) => items),
    factory,
  )
  if (!abstraction || abstraction.parameters.length > mostParameters) return undefined

  const parameters = abstraction.parameters.map((parameter, p): Parameter => {
    const word = bucketWord(
      bodies,
      abstraction.given.map((cells) => cells[p]!.key),
    )
    return word ? Object.assign(parameter, { roles: [word, ...parameter.roles] }) : parameter
  })
  const renamed = new Map<Value, Value>()
  const rename = (value: Value): Value => {
    const own = renamed.get(value) ?? factory.value(value.dtype)
    renamed.set(value, own)
    return own
  }
  const used = usedInputs(first)
  const template: Template = {
    id: factory.nextTemplate(),
    role: 'network',
    operands: used.map((i) => rename(first.inputs[i]!.value)),
    parameters,
    body: first.items.map(
      (item, k): Item => ({
        ...item,
        values: item.values.map(rename),
        scalars: abstraction.inside[k]!,
        results: item.results.map(rename),
      }),
    ),
    results: madeOutputs(first).map(rename),
  }
  const pattern = factory.callOf(template)
  for (const [b, body] of bodies.entries())
    body.items = [
      {
        pattern,
        values: used.map((i) => body.inputs[i]!.value),
        scalars: abstraction.given[b]!,
        results: madeOutputs(body),
        origins: body.items.flatMap(({ origins }) => origins),
      },
    ]
  return template
}

/** Inputs that some call reads; others can only be returned as they are. */
function usedInputs({ inputs, items }: Body): number[] {
  const read = new Set(items.flatMap(({ values }) => values))
  return inputs.flatMap(({ value }, i) => (read.has(value) ? [i] : []))
}

/** Outputs that some call makes, each once. */
function madeOutputs({ outputs, items }: Body): Value[] {
  const made = new Set(items.flatMap(({ results }) => results))
  return [...new Set(outputs.map(({ value }) => value).filter((value) => made.has(value)))]
}

/** Everything about an entry but its numbers and names. */
function shapeOf({ inputs, outputs, items }: Body): string {
  const places = new Map(inputs.map(({ value }, i) => [value, `i${i}`]))
  const calls = items.map(({ pattern, values, results }, k) => {
    for (const [part, value] of results.entries()) places.set(value, `${k}.${part}`)
    return `${pattern.id} ${values.map((value) => places.get(value)).join(' ')}`
  })
  const ends = outputs.map(({ name, value }) => `${JSON.stringify(name)} ${places.get(value)}`)
  return [inputs.map(({ name, value }) => `${JSON.stringify(name)} ${value.dtype}`), calls, ends].join('|')
}

/** `seq` where the entries are `seq32`, `seq64` and the numbers 32 and 64. */
function bucketWord(bodies: readonly Body[], keys: readonly string[]): string | undefined {
  const words = bodies.map(({ entry }, b) =>
    entry.split('_').flatMap((part) => (part.endsWith(keys[b]!) ? [part.slice(0, -keys[b]!.length)] : [])),
  )
  const common = words[0]!.find((word) => word !== '' && !/\d$/.test(word) && words.every((others) => others.includes(word)))
  return common === undefined ? undefined : camelCase(common)
}
