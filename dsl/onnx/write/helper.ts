import { helperWords, operandWords, parameterWords } from './naming.ts'
import type { Item, Parameter, Scalar, Template, Value } from './program.ts'
import { camelCase, createScope, type Scope } from './text.ts'

/** How a helper function is declared and called. */
export interface Helper {
  readonly template: Template
  readonly name: string
  readonly scope: Scope
  readonly operands: ReadonlyMap<Value, string>
  readonly names: ReadonlyMap<Parameter, string>
  /** Parameters in the order of declaration, but for those in the options. */
  readonly positional: readonly Parameter[]
  readonly options: readonly Option[]
  /** Name of the interface of the options, where there are any. */
  readonly optionsType: string | undefined
}

export interface Option {
  readonly parameter: Parameter
  /** What most calls give: they leave it out. */
  readonly fallback: Scalar | undefined
}

const optional = new Set(['kernel', 'stride', 'padding', 'dilation', 'groups', 'epsilon', 'window'])

/** Names and layout of a helper, from what it does and from what its calls give. */
export function describeHelper(
  template: Template,
  calls: readonly Item[],
  module: Scope,
  names: ReadonlyMap<Template, string>,
  inputs: ReadonlyMap<Value, string>,
): Helper {
  const name = module.take(...(template.role ? [template.role] : []), ...helperWords(template, names))
  const scope = createScope(module)
  const operands = new Map<Value, string>()
  for (const [i, value] of template.operands.entries())
    operands.set(
      value,
      scope.take(...inputWord(calls.map(({ values }) => inputs.get(values[i]!))), ...operandWords(template, value, i)),
    )

  const texts = template.parameters.filter(({ kind }) => kind === 'text')
  const numbers = template.parameters.filter(({ kind }) => kind !== 'text')
  const optionLike = numbers.filter(
    ({ roles }) => roles.some((role) => optional.has(role)) && !roles.some((role) => role === 'to' || role === 'from'),
  )
  const inOptions = template.parameters.length > 3 && optionLike.length > 1 ? optionLike : []
  const rank = (parameter: Parameter) =>
    parameter.kind === 'text' || parameter.roles.some((role) => role.startsWith('index:'))
      ? 0
      : parameter.roles.includes('to')
        ? 2
        : parameter.roles.includes('from')
          ? 1
          : 3
  const positional = [...texts, ...numbers.filter((parameter) => !inOptions.includes(parameter))].sort(
    (a, b) => rank(a) - rank(b),
  )
  const labels = new Map<Parameter, string>()
  for (const parameter of [...positional, ...inOptions])
    labels.set(parameter, scope.take(...parameterWords(parameter, texts.length)))
  return {
    template,
    name,
    scope,
    operands,
    names: labels,
    positional,
    options: inOptions.map((parameter) => ({ parameter, fallback: usual(template.parameters.indexOf(parameter), calls) })),
    optionsType: inOptions.length > 0 ? module.take(`${name[0]!.toUpperCase()}${name.slice(1)}Options`) : undefined,
  }
}

/** `pastKey` where every call gives the input `past_key_0`, `past_key_1` or another of these. */
function inputWord(names: readonly (string | undefined)[]): string[] {
  const stems = names.map((name) => name?.replace(/\d+$/, ''))
  const [first] = stems
  const word = first !== undefined && stems.every((stem) => stem === first) ? camelCase(first) : undefined
  return word === undefined || word === 'input' || word.length < 2 ? [] : [word]
}

/** What at least half of the calls give. */
function usual(index: number, calls: readonly Item[]): Scalar | undefined {
  const counts = new Map<string, { readonly scalar: Scalar; count: number }>()
  for (const { scalars } of calls) {
    const scalar = scalars[index]!
    if (scalar.kind !== 'number' && scalar.kind !== 'same') continue
    const entry = counts.get(scalar.key) ?? { scalar, count: 0 }
    entry.count++
    counts.set(scalar.key, entry)
  }
  const [most] = [...counts.values()].sort((a, b) => b.count - a.count)
  return most && most.count * 2 >= calls.length ? most.scalar : undefined
}
