import { atom, callOf, type Expression, listOf, objectOf } from './expression.ts'
import type { Helper } from './helper.ts'
import type { Form, Item, Parameter, Scalar, Template, Value } from './program.ts'
import { printNumber } from './text.ts'

/** What the statements of all functions share. */
export interface Surroundings {
  /** Notes that the module needs this from the vocabulary. */
  readonly use: (name: string) => void
  readonly helperOf: (template: Template) => Helper
  /** Puts a constant in front of the functions and returns its name. */
  readonly table: (words: readonly string[], rows: Expression, isTuple: boolean) => string
}

/** Whether a call brings weights in. */
export const isWeighted = ({ scalars, pattern }: Item): boolean =>
  scalars.some(({ kind }) => kind === 'text') ||
  (pattern.template?.parameters.some(({ kind, roles }) => kind === 'text' || roles.some((role) => role.startsWith('index:'))) ??
    false)

/** How one of several results is taken from a call. */
export const memberOf = ({ pattern }: Item, index: number): string =>
  pattern.returns === 'list' ? `[${index}]` : pattern.returns === 'one' ? '' : `.${pattern.returns[index]}`

/** The call as it is written; options that are what they are by default are left out. */
export function callExpression(
  item: Item,
  read: (value: Value) => Expression,
  scalar: (value: Scalar) => Expression,
  around: Surroundings,
): Expression {
  const { pattern, values, scalars } = item
  if (pattern.template) return helperCall(around.helperOf(pattern.template), values.map(read), scalars.map(scalar), scalars)
  const make = (form: Form): Expression => {
    switch (form.kind) {
      case 'value':
        return read(values[form.index]!)
      case 'scalar':
        return scalar(scalars[form.index]!)
      case 'text':
        for (const name of form.uses ?? []) around.use(name)
        return atom(form.text)
      case 'list':
        return listOf(form.items.map(make))
      case 'object':
        return objectOf(
          form.entries.flatMap(({ key, form: inner, fallback }): (readonly [string, Expression])[] => {
            const given = inner.kind === 'scalar' ? scalars[inner.index]! : undefined
            if (given?.kind === 'number' && (given.isImplied || (fallback !== undefined && given.key === printNumber(fallback))))
              return []
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

export function helperCall(
  helper: Helper,
  operands: readonly Expression[],
  cells: readonly Expression[],
  scalars: readonly (Scalar | undefined)[],
): Expression {
  const { template, positional, options, names } = helper
  const cellOf = (parameter: Parameter) => cells[template.parameters.indexOf(parameter)]!
  const given = options.flatMap(({ parameter, fallback }): (readonly [string, Expression])[] => {
    const scalar = scalars[template.parameters.indexOf(parameter)]
    return fallback && scalar?.key === fallback.key ? [] : [[names.get(parameter)!, cellOf(parameter)]]
  })
  return callOf(helper.name, ...operands, ...positional.map(cellOf), ...(given.length > 0 ? [objectOf(given)] : []))
}
