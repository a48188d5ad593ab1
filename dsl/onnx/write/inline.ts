import { type Body, type Item, type Scalar, substitute, type Template, type Value } from './program.ts'

/** Puts helpers that are called once back where they are called, and returns the others. */
export function inlineSingles(bodies: readonly Body[], templates: readonly Template[]): Template[] {
  let remaining = [...templates]
  for (;;) {
    const calls = new Map<Template, number>()
    const lists = [...bodies.map(({ items }) => items), ...remaining.map(({ body }) => body)]
    for (const items of lists)
      for (const { pattern } of items) if (pattern.template) calls.set(pattern.template, (calls.get(pattern.template) ?? 0) + 1)
    const singles = new Set(remaining.filter((template) => (calls.get(template) ?? 0) < 2))
    if (singles.size === 0) break
    const [single] = singles
    remaining = remaining.filter((template) => template !== single)
    for (const body of bodies) body.items = expanded(body.items, single!)
    for (const template of remaining) template.body = expanded(template.body, single!)
  }
  return remaining
}

function expanded(items: readonly Item[], template: Template): readonly Item[] {
  if (!items.some(({ pattern }) => pattern.template === template)) return items
  return items.flatMap((item) => {
    if (item.pattern.template !== template) return [item]
    const values = new Map<Value, Value>()
    for (const [i, operand] of template.operands.entries()) values.set(operand, item.values[i]!)
    for (const [i, result] of template.results.entries()) values.set(result, item.results[i]!)
    const scalars = new Map(template.parameters.map((parameter, i): [typeof parameter, Scalar] => [parameter, item.scalars[i]!]))
    const renamed = (value: Value): Value => values.get(value) ?? value
    return template.body.map((inner) => ({
      ...inner,
      values: inner.values.map(renamed),
      scalars: inner.scalars.map((scalar) => substitute(scalar, scalars)),
      results: inner.results.map(renamed),
    }))
  })
}

/** Helpers before those that call them. */
export function inCallOrder(templates: readonly Template[]): Template[] {
  const order: Template[] = []
  const visit = (template: Template) => {
    if (order.includes(template)) return
    for (const { pattern } of template.body) if (pattern.template) visit(pattern.template)
    order.push(template)
  }
  for (const template of templates) visit(template)
  return order
}
