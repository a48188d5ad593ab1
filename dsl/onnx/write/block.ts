import { broken, type Doc, group, hardLine, indent, join, lines } from './document.ts'
import { atom, callOf, depthOf, docOf, type Expression, listOf, named, objectOf, referencesOf, widthOfExpression } from './expression.ts'
import type { Helper } from './helper.ts'
import { resultWords } from './naming.ts'
import { inWritingOrder } from './order.ts'
import type { Form, Item, Parameter, Scalar, Template, Value } from './program.ts'
import { isCountable, type Loop, progression, type Step, stepsOf, usesOf } from './runs.ts'
import { scalarExpression, scalarText } from './scalars.ts'
import { createScope, printNumber, type Scope } from './text.ts'

/** What the statements of all functions share. */
export interface Surroundings {
  /** Notes that the module needs this from the vocabulary. */
  readonly use: (name: string) => void
  readonly helperOf: (template: Template) => Helper
  /** Puts a constant in front of the functions and returns its name. */
  readonly table: (words: readonly string[], rows: Expression, isTuple: boolean) => string
}

/** A function body: its statements, and the outputs as expressions over them. */
export interface Block {
  readonly statements: readonly Doc[]
  readonly outputs: readonly Expression[]
}

/** Expressions longer than this get a name instead of standing inside of others. */
const widestNested = 108
const deepest = 4

type Binding =
  | { readonly kind: 'const'; readonly item: Item; readonly expression: Expression; readonly reads: readonly Value[] }
  | { readonly kind: 'loop'; readonly loop: Loop; readonly reads: readonly Value[]; readonly initial: readonly (Expression | undefined)[] }

/** The statements of a function over its calls. `names` holds what its tensors from outside are called. */
export function writeBlock(
  items: readonly Item[],
  outputs: readonly { readonly value: Value; readonly words: readonly string[] }[],
  names: Map<Value, string>,
  scope: Scope,
  parameterName: (parameter: Parameter) => string,
  around: Surroundings,
): Block {
  const outputValues = outputs.map(({ value }) => value)
  const steps = stepsOf(inWritingOrder(items, outputValues))
  const uses = usesOf(steps, outputValues)
  const nested = new Map<Value, { readonly item: Item; readonly expression: Expression; readonly access?: string; readonly isWeighted: boolean }>()
  const wasWeighted = new Set<Value>()
  const bindings: Binding[] = []
  const isBound = new Set<Value>(names.keys())
  const scalar = (value: Scalar) => scalarExpression(value, parameterName)

  const bind = (item: Item, expression: Expression) => {
    bindings.push({ kind: 'const', item, expression, reads: referencesOf(expression) })
    for (const result of item.results) isBound.add(result)
  }
  const settle = (value: Value) => {
    const found = nested.get(value)
    if (!found) return
    nested.delete(value)
    bind(found.item, found.expression)
  }
  const read = (value: Value): Expression => {
    const found = nested.get(value)
    if (!found) return { kind: 'reference', value }
    return found.access === undefined ? found.expression : { kind: 'member', of: found.expression, access: found.access }
  }

  /** The expression of a call, with what is used here alone inside where it is short. */
  const compose = (item: Item): Expression => {
    const build = () => callExpression(item, read, scalar, around)
    let expression = build()
    const inner = [...new Set(item.values)].filter((value) => nested.has(value))
    const width = (value: Value) => widthOfExpression(nested.get(value)!.expression)
    if (isWeighted(item))
      for (const value of inner) {
        const found = nested.get(value)
        // One layer on a line.
        if (!found || !found.isWeighted) continue
        settle(value)
        expression = build()
      }
    for (const value of inner.filter((value) => nested.has(value)).sort((a, b) => width(b) - width(a))) {
      if (widthOfExpression(expression) <= widestNested && depthOf(expression) <= deepest) break
      settle(value)
      expression = build()
    }
    // What was settled stands on a line of its own and weighs no more.
    for (const value of item.values) if (!nested.has(value)) wasWeighted.delete(value)
    for (const value of inner) nested.delete(value)
    return expression
  }

  for (const [i, step] of steps.entries()) {
    if (step.kind === 'loop') {
      const [first] = step.items
      const initial = first!.values.map((value, a) => (typeof step.carried[a] === 'number' ? read(value) : undefined))
      const others = step.carried.flatMap((from, a) =>
        typeof from === 'number' ? [] : step.items.slice(0, from === 'each' ? undefined : 1).map(({ values }) => values[a]!),
      )
      for (const value of others) settle(value)
      for (const value of first!.values) nested.delete(value)
      const reads = [...others, ...initial.flatMap((expression) => (expression ? referencesOf(expression) : []))]
      bindings.push({ kind: 'loop', loop: step, reads, initial })
      continue
    }
    const { item } = step
    const expression = compose(item)
    const [result] = item.results
    const used = item.results.filter((value) => uses.has(value))
    const [only] = used
    const places = only ? uses.get(only)! : []
    if (used.length === 1 && places.length === 1 && places[0]!.step > i && widthOfExpression(expression) <= widestNested) {
      const access = only === result && item.pattern.returns === 'one' ? undefined : memberOf(item, item.results.indexOf(only!))
      const weighted = isWeighted(item) || item.values.some((value) => wasWeighted.has(value))
      if (weighted) wasWeighted.add(only!)
      nested.set(only!, { item, expression, isWeighted: weighted, ...(access !== undefined && { access }) })
    } else bind(item, expression)
  }
  const [single] = outputValues
  const final = bindings.at(-1)
  if (outputValues.length === 1 && final?.kind === 'const' && final.item.results[0] === single && final.item.pattern.returns === 'one') {
    // What is returned needs no name, however long it is.
    bindings.pop()
    nested.set(single!, { ...final, isWeighted: true })
  }
  const returned = outputValues.map((value) => read(value))

  return nameAndPrint(bindings, returned, outputs, uses, names, scope, scalar, around)
}

/** Whether a call brings weights in. */
const isWeighted = ({ scalars, pattern }: Item): boolean =>
  scalars.some(({ kind }) => kind === 'text') ||
  (pattern.template?.parameters.some(({ kind, roles }) => kind === 'text' || roles.some((role) => role.startsWith('index:'))) ?? false)

const memberOf = ({ pattern }: Item, index: number): string =>
  pattern.returns === 'list' ? `[${index}]` : pattern.returns === 'one' ? '' : `.${pattern.returns[index]}`

/** The call as it is written; options that are what they are by default are left out. */
function callExpression(item: Item, read: (value: Value) => Expression, scalar: (value: Scalar) => Expression, around: Surroundings): Expression {
  const { pattern, values, scalars } = item
  if (pattern.template) return helperCall(around.helperOf(pattern.template), values.map(read), scalars.map(scalar), scalars)
  const make = (form: Form): Expression => {
    switch (form.kind) {
      case 'value':
        return read(values[form.index]!)
      case 'scalar':
        return scalar(scalars[form.index]!)
      case 'text':
        return atom(form.text)
      case 'list':
        return listOf(form.items.map(make))
      case 'object':
        return objectOf(
          form.entries.flatMap(({ key, form: inner, fallback }): (readonly [string, Expression])[] => {
            const given = inner.kind === 'scalar' ? scalars[inner.index]! : undefined
            if (given?.kind === 'number' && (given.isImplied || (fallback !== undefined && given.key === printNumber(fallback)))) return []
            return [[key, make(inner)]]
          }),
        )
      case 'call': {
        const parts = form.parts.map(make)
        // An empty options object, and what is undefined in front of it, say nothing.
        const isNothing = (part: Expression) =>
          (part.kind === 'object' && part.entries.length === 0) || (part.kind === 'atom' && part.text === 'undefined')
        while (parts.length > 0 && isNothing(parts.at(-1)!)) parts.pop()
        around.use(form.callee)
        return callOf(form.callee, ...parts)
      }
    }
  }
  return make(pattern.form)
}

export function helperCall(helper: Helper, operands: readonly Expression[], cells: readonly Expression[], scalars: readonly (Scalar | undefined)[]): Expression {
  const { template, positional, options, names } = helper
  const cellOf = (parameter: Parameter) => cells[template.parameters.indexOf(parameter)]!
  const given = options.flatMap(({ parameter, fallback }): (readonly [string, Expression])[] => {
    const scalar = scalars[template.parameters.indexOf(parameter)]
    return fallback && scalar?.key === fallback.key ? [] : [[names.get(parameter)!, cellOf(parameter)]]
  })
  return callOf(helper.name, ...operands, ...positional.map(cellOf), ...(given.length > 0 ? [objectOf(given)] : []))
}

/** Constants without a type that follow from each other: the compiler infers them backwards and overflows at about 228. */
const longestInference = 80

/** A tensor that is needed for more statements than this has a name of its own. */
const longestHeld = 3

/** Chains of tensors of which each is used for the last time where the next is made: one variable holds them. */
function chainsOf(bindings: readonly Binding[], last: ReadonlyMap<Value, number>): Map<Value, Value[]> {
  const chains = new Map<Value, Value[]>()
  const made = new Map<Value, number>()
  for (const [i, binding] of bindings.entries()) {
    if (binding.kind === 'loop') {
      const finals = binding.loop.items.at(-1)!.results
      for (const value of finals) made.set(value, i)
      for (const [a, result] of binding.loop.carried.entries()) {
        if (typeof result !== 'number') continue
        const value = finals[result]!
        const initial = binding.initial[a]!
        const from = referencesOf(initial).find(
          (read) => last.get(read) === i && i - (made.get(read) ?? i) <= longestHeld && chains.get(read)?.at(-1) === read && read.dtype === value.dtype,
        )
        const before = from && chains.get(from)
        const chain = before ?? []
        chain.push(value)
        chains.set(value, chain)
      }
      continue
    }
    const { item } = binding
    for (const value of item.results) made.set(value, i)
    if (item.results.length !== 1) continue
    const [value] = item.results
    const from = binding.reads.find(
      (read) => last.get(read) === i && i - made.get(read)! <= longestHeld && chains.get(read)?.at(-1) === read && read.dtype === value!.dtype,
    )
    const chain = (from && chains.get(from)) ?? []
    chain.push(value!)
    chains.set(value!, chain)
  }
  return chains
}

/** Names that helpers have for what they are given. */
function hintsFor(bindings: readonly Binding[], around: Surroundings): Map<Value, string[]> {
  const hints = new Map<Value, string[]>()
  for (const binding of bindings) {
    const item = binding.kind === 'loop' ? binding.loop.items[0]! : binding.item
    const { template } = item.pattern
    if (!template) continue
    const { operands } = around.helperOf(template)
    for (const [a, value] of item.values.entries()) {
      const name = operands.get(template.operands[a]!)!
      if (name.length > 2 && name !== 'other') hints.set(value, [name])
    }
  }
  return hints
}

function nameAndPrint(
  bindings: readonly Binding[],
  returned: readonly Expression[],
  outputs: readonly { readonly value: Value; readonly words: readonly string[] }[],
  uses: ReadonlyMap<Value, unknown>,
  names: Map<Value, string>,
  scope: Scope,
  scalar: (value: Scalar) => Expression,
  around: Surroundings,
): Block {
  const last = new Map<Value, number>()
  for (const [i, { reads }] of bindings.entries()) for (const value of reads) last.set(value, i)
  for (const value of returned.flatMap((expression) => referencesOf(expression))) last.set(value, bindings.length)
  const chains = chainsOf(bindings, last)
  const looped = new Set(bindings.flatMap((binding) => (binding.kind === 'loop' ? binding.loop.items.at(-1)!.results : [])))
  const isVariable = (chain: readonly Value[]) => chain.length > 2 || chain.some((value) => looped.has(value))
  const outputWords = new Map(outputs.map(({ value, words }) => [value, words]))

  const declared = new Set<Value[]>()
  const variableOf = (value: Value): { readonly name: string; readonly isNew: boolean } | undefined => {
    const chain = chains.get(value)
    if (!chain || !isVariable(chain)) return undefined
    const isNew = !declared.has(chain)
    if (isNew) {
      declared.add(chain)
      const name = scope.take('x', 'y', 'z', 'u', 'v')
      for (const member of chain) names.set(member, name)
    }
    return { name: names.get(value)!, isNew }
  }
  const nameOf = (value: Value): string => names.get(value) ?? 'undefined'
  const hints = hintsFor(bindings, around)
  const take = (item: Item, part: number) => {
    const value = item.results[part]!
    const name = scope.take(...(outputWords.get(value) ?? []), ...(hints.get(value) ?? []), ...resultWords(item, part))
    names.set(value, name)
    return name
  }
  const typed = (value: Value) => {
    around.use('type Tensor')
    return `Tensor<'${value.dtype}'>`
  }

  const unannotated = new Map<Value, number>()
  const gatheredLists = new Map<string, number>()
  const finished = (expression: Expression) => withWholeLists(named(expression, nameOf), gatheredLists)
  const statements: Doc[] = []
  for (const binding of bindings) {
    if (binding.kind === 'loop') {
      statements.push(...loopStatements(binding))
      continue
    }
    const { item } = binding
    const expression = docOf(finished(binding.expression))
    const [value] = item.results
    const variable = item.results.length === 1 ? variableOf(value!) : undefined
    if (variable) {
      statements.push(join(variable.isNew ? `let ${variable.name}: ${typed(value!)} = ` : `${variable.name} = `, expression))
      continue
    }
    const length = 1 + Math.max(0, ...binding.reads.map((read) => unannotated.get(read) ?? 0))
    if (item.pattern.returns === 'one' && length > longestInference) {
      statements.push(join(`const ${take(item, 0)}: ${typed(value!)} = `, expression))
      continue
    }
    for (const result of item.results) unannotated.set(result, length)
    if (item.pattern.returns === 'one') statements.push(join(`const ${take(item, 0)} = `, expression))
    else statements.push(join('const ', destructured(item), ' = ', expression))
  }
  return { statements, outputs: returned.map(finished) }

  /** `[a, , c]`, `{ hidden, cell: state }`, or one name where there are too many. */
  function destructured(item: Item): Doc {
    const { returns } = item.pattern
    const isUsed = (index: number) => uses.has(item.results[index]!)
    if (returns === 'list') {
      if (item.results.length > 8) {
        const name = scope.take('parts')
        for (const [i, value] of item.results.entries()) names.set(value, `${name}[${i}]!`)
        return name
      }
      const lastUsed = item.results.findLastIndex((_, i) => isUsed(i))
      return `[${item.results
        .slice(0, lastUsed + 1)
        .map((_, i) => (isUsed(i) ? take(item, i) : ''))
        .join(', ')}]`
    }
    const entries = item.results.flatMap((_, i) => {
      if (!isUsed(i)) return []
      const [key, name] = [String(returns[i]), take(item, i)]
      return [key === name ? key : `${key}: ${name}`]
    })
    // The formatter breaks a pattern that renames and is not small.
    if (entries.length > 2 && entries.some((entry) => entry.includes(':')))
      return broken(join('{', indent(join(hardLine, lines(entries.map((entry) => `${entry},`)))), hardLine, '}'))
    return `{ ${entries.join(', ')} }`
  }

  function loopStatements({ loop, initial }: Extract<Binding, { kind: 'loop' }>): Doc[] {
    const { items, carried } = loop
    const [first] = items
    const final = items.at(-1)!
    const helper = around.helperOf(first!.pattern.template!)
    const before: Doc[] = []
    const variables = new Map<number, string>()
    for (const [a, result] of carried.entries()) {
      if (typeof result !== 'number') continue
      const value = final.results[result]!
      const start = finished(initial[a]!)
      const variable = variables.has(result) ? undefined : variableOf(value)
      if (!variable) continue
      variables.set(result, variable.name)
      if (variable.isNew) before.push(join(`let ${variable.name}: ${typed(value)} = `, docOf(start)))
      else if (!(start.kind === 'atom' && start.text === variable.name)) before.push(join(`${variable.name} = `, docOf(start)))
    }

    const inner = createTurn(loop, helper, scope, scalar, around)
    // Results of turns that something else reads are gathered in a list for each result.
    const gathered: { readonly result: number; readonly list: string }[] = []
    for (const result of first!.results.keys()) {
      const isRead = items.some((item, turn) => {
        const count = uses.has(item.results[result]!)
        return turn < items.length - 1 ? count : count && !variables.has(result)
      })
      if (!isRead) continue
      const words = items.flatMap((item) => outputWords.get(item.results[result]!)?.[0] ?? [])
      const word = words.length === items.length ? listWord(words) : 'inputs'
      const list = scope.take(...(word === 'inputs' ? [] : [word]), 'gathered', 'collected', 'kept')
      gathered.push({ result, list })
      gatheredLists.set(list, items.length)
      before.push(`const ${list}: ${typed(first!.results[result]!)}[] = []`)
      for (const [turn, item] of items.entries())
        if (!(turn === items.length - 1 && variables.has(result))) names.set(item.results[result]!, `${list}[${turn}]!`)
    }

    const operands = carried.map((from, a) => {
      if (typeof from === 'number') return atom(variables.get(from)!)
      if (from === undefined) return atom(nameOf(first!.values[a]!))
      const members = items.map(({ values }) => nameOf(values[a]!))
      const list = scope.take(listWord(members), 'inputs')
      before.push(join(`const ${list} = `, docOf(listOf(members.map(atom)))))
      return atom(`${list}[${inner.place}]!`)
    })
    const call = docOf(helperCall(helper, operands, inner.cells, inner.known))
    const isPlain = first!.results.length === 1
    const target = (result: number) => variables.get(result) ?? (gathered.some((one) => one.result === result) ? inner.scope.take('made') : '')
    const targets = [...first!.results.keys()].map(target)
    const assigned = variables.size > 0
    const body: Doc[] = []
    if (isPlain && assigned) body.push(join(`${targets[0]} = `, call))
    else if (targets.every((name, i) => name === '' || variables.has(i))) body.push(join(`;[${trimmed(targets)}] = `, call))
    else {
      const fresh = targets.map((name, i) => (variables.has(i) ? inner.scope.take('next') : name))
      body.push(join(`const [${trimmed(fresh)}] = `, call))
      for (const [i, name] of fresh.entries()) {
        const variable = variables.get(i)
        if (variable) body.push(`${variable} = ${name}`)
        targets[i] = variable ?? name
      }
    }
    for (const { result, list } of gathered) body.push(`${list}.push(${targets[result]})`)
    return [...before, forStatement(inner.head, body)]
  }
}

/** `kept` in place of `[kept[0]!, kept[1]!]`, where these are all. */
function withWholeLists(expression: Expression, lists: ReadonlyMap<string, number>): Expression {
  if (lists.size === 0) return expression
  const inner = (part: Expression) => withWholeLists(part, lists)
  switch (expression.kind) {
    case 'call':
      return callOf(expression.callee, ...expression.parts.map(inner))
    case 'object':
      return objectOf(expression.entries.map(([key, value]) => [key, inner(value)]))
    case 'member':
      return { ...expression, of: inner(expression.of) }
    case 'list': {
      const [first] = expression.items
      const name = first?.kind === 'atom' && first.text.endsWith('[0]!') ? first.text.slice(0, -4) : undefined
      const isWhole =
        name !== undefined &&
        lists.get(name) === expression.items.length &&
        expression.items.every((item, i) => item.kind === 'atom' && item.text === `${name}[${i}]!`)
      return isWhole ? atom(name) : listOf(expression.items.map(inner))
    }
    default:
      return expression
  }
}

const trimmed = (list: readonly string[]): string => list.slice(0, list.findLastIndex((name) => name !== '') + 1).join(', ')

export function forStatement(head: string, body: readonly Doc[]): Doc {
  const [only] = body
  const onOneLine = body.length === 1 ? group(join(`for (${head}) `, only!)) : undefined
  if (onOneLine && typeof onOneLine === 'object' && onOneLine.kind === 'group' && onOneLine.flatWidth <= 110) return onOneLine
  return broken(join(`for (${head}) {`, indent(join(hardLine, lines(body))), hardLine, '}'))
}

/** What a turn of a loop gives to its helper: an index, and what follows from it, or a row of a table. */
function createTurn(loop: Loop, helper: Helper, scope: Scope, scalar: (value: Scalar) => Expression, around: Surroundings) {
  const { items } = loop
  const { parameters } = helper.template
  const inner = { take: (...words: readonly string[]) => scope.take(...words) }
  const columns = parameters.map((_, p) => items.map(({ scalars }) => scalars[p]!))
  const progressions = columns.map(progression)
  const fixed = (p: number) => progressions[p]?.distance === 0
  const cells: Expression[] = []
  const known = columns.map((column, p) => (fixed(p) ? column[0] : undefined))
  const label = (p: number) => helper.names.get(parameters[p]!)!
  const written = [...helper.positional, ...helper.options.map(({ parameter }) => parameter)]
  const moving = written.map((parameter) => parameters.indexOf(parameter)).filter((p) => !fixed(p))

  if (moving.every((p) => isCountable(parameters[p]!) && progressions[p] !== undefined)) {
    const lead = moving.find((p) => progressions[p]!.distance === 1) ?? moving[0]
    const start = lead === undefined ? 0 : progressions[lead]!.distance === 1 ? progressions[lead]!.start : 0
    const index = createScope(scope).take(...(lead !== undefined && progressions[lead]!.distance === 1 ? [label(lead)] : []), 'turn', 'i')
    for (const p of parameters.keys()) {
      const steps = progressions[p]!
      if (fixed(p)) cells.push(scalar(columns[p]![0]!))
      else cells.push(atom(affine(index, steps.distance, steps.start - steps.distance * start)))
    }
    const end = start + items.length
    const head = `let ${index} = ${start}; ${index} ${start === 0 ? `< ${end}` : `<= ${end - 1}`}; ${index}++`
    const place = start === 0 ? index : `${index} - ${start}`
    return { head, cells, known, scope: inner, place }
  }

  const own = createScope(scope)
  const keys = moving.map((p) => ({ p, key: own.take(label(p)) }))
  const rows = items.map(({ scalars }) => keys.map(({ p, key }) => [key, scalar(scalars[p]!)] as const))
  const isSingle = keys.length === 1
  // Rows that are too long with their keys are lists, and the keys stand in the loop alone.
  const isShort = rows.every((row) => widthOfExpression(objectOf(row)) < 120)
  const entries = rows.map((row) => (isSingle ? row[0]![1] : isShort ? objectOf(row) : listOf(row.map(([, value]) => value))))
  const table = around.table(tableWords(helper.name), listOf(entries), !isSingle && !isShort)
  for (const p of parameters.keys()) {
    const key = keys.find((one) => one.p === p)
    cells.push(key ? atom(key.key) : scalar(columns[p]![0]!))
  }
  const list = keys.map(({ key }) => key).join(', ')
  const head = `const ${isSingle ? list : isShort ? `{ ${list} }` : `[${list}]`} of ${table}`
  return { head, cells, known, scope: inner, place: '' }
}

/** `pastKeys` for `pastKey0`, `pastKey1` and so on. */
function listWord(names: readonly string[]): string {
  const stems = names.map((name) => name.replace(/\d+.*$/, ''))
  return stems[0]!.length > 1 && stems.every((stem) => stem === stems[0]) ? `${stems[0]!.replace(/s$/, '')}s` : 'inputs'
}

const affine = (index: string, factor: number, offset: number): string => {
  const product = factor === 1 ? index : `${factor} * ${index}`
  return offset === 0 ? product : `${product} ${offset < 0 ? '-' : '+'} ${Math.abs(offset)}`
}

const tableWords = (name: string): string[] => {
  const plural = /(?:s|sh|ch|x)$/.test(name) ? `${name}es` : `${name}s`
  return /(?:d|able|ual)$/.test(name) ? [`${name}Blocks`] : [plural]
}

const types = { text: 'string', number: 'number', padding: "number | 'same'" } as const
export const parameterType = ({ kind }: Parameter): string => types[kind]
export { scalarText, type Step }
