import { helperCall, type Surroundings } from './calls.ts'
import { type Binding, chainsOf, hintsFor } from './chains.ts'
import { broken, type Doc, hardLine, indent, join, lines } from './document.ts'
import { atom, docOf, type Expression, listOf, named, referencesOf } from './expression.ts'
import { resultWords } from './naming.ts'
import type { Item, Scalar, Value } from './program.ts'
import type { Scope } from './text.ts'
import { createTurn, forStatement, listWord, trimmed, withWholeLists } from './turns.ts'

/** A function body: its statements, and the outputs as expressions over them. */
export interface Block {
  readonly statements: readonly Doc[]
  readonly outputs: readonly Expression[]
}

/** Constants without a type that follow from each other: the compiler infers them backwards and overflows at about 228. */
const longestInference = 80

/** Gives names to tensors and variables to chains of them, and writes the statements out. */
export function nameAndPrint(
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
    // Of a loop, whose results stand in lists under names.
    if (returns !== 'list' && returns !== 'one' && returns.some((name) => name.includes('['))) {
      const name = scope.take('looped')
      for (const [i, value] of item.results.entries()) names.set(value, `${name}.${returns[i]}`)
      return name
    }
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
    const target = (result: number) =>
      variables.get(result) ?? (gathered.some((one) => one.result === result) ? inner.scope.take('made') : '')
    const targets = [...first!.results.keys()].map(target)
    const assigned = variables.size > 0
    const body: Doc[] = []
    // A semicolon in front of a list would be all of a body without braces.
    let needsBraces = false
    if (isPlain && assigned) body.push(join(`${targets[0]} = `, call))
    else if (targets.every((name, i) => name === '' || variables.has(i)))
      needsBraces = body.push(join(`;[${trimmed(targets)}] = `, call)) > 0
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
    return [...before, forStatement(inner.head, body, needsBraces)]
  }
}
