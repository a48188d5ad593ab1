import type { Form, Scalar, Value } from './program.ts'

/** A call taken apart: how it is written, and what stands in its holes. */
export interface Reading {
  readonly form: Form
  readonly values: readonly Value[]
  readonly scalars: readonly Scalar[]
  readonly roles: readonly string[]
}

/** Collects tensors and scalars as holes are made for them. */
export function createReading() {
  const values: Value[] = []
  const scalars: Scalar[] = []
  const roles: string[] = []
  return {
    values,
    scalars,
    roles,
    value(value: Value): Form {
      values.push(value)
      return { kind: 'value', index: values.length - 1 }
    },
    scalar(scalar: Scalar, role: string): Form {
      scalars.push(scalar)
      roles.push(role)
      return { kind: 'scalar', index: scalars.length - 1 }
    },
  }
}

/** Characters of source, roughly. */
export function costOf(form: Form): number {
  switch (form.kind) {
    case 'value':
      return 3
    case 'scalar':
      return 5
    case 'text':
      return form.text.length + 2
    case 'call':
      return form.callee.length + 4 + form.parts.reduce((sum, part) => sum + costOf(part), 0) + (form.callee === 'w.get' ? 20 : 8)
    case 'list':
      return form.items.reduce((sum, item) => sum + costOf(item), 2)
    case 'object':
      return form.entries.reduce(
        (sum, { key, form: inner, fallback }) => sum + (fallback === undefined ? key.length + costOf(inner) : 2),
        2,
      )
  }
}
