import type { DType } from '../../../compiler/graph/index.ts'
import { escaped, printNumber } from './text.ts'

/** A tensor of the program being written: an input, a result, or what a helper is given. */
export interface Value {
  readonly id: number
  readonly dtype: DType
}

/** What a helper takes besides tensors. */
export interface Parameter {
  readonly id: number
  readonly kind: 'number' | 'text' | 'padding'
  /** What it is used for, most telling first: `to`, `stride`. */
  readonly roles: readonly string[]
}

/** A number or a name in the program: known, or made from parameters of the helper it stands in. Equal ones have equal keys. */
export type Scalar =
  | {
      readonly kind: 'number'
      readonly value: number | bigint
      readonly key: string
      /** It is what it would be if it were left out, as the end of a range that goes to the end. */
      readonly isImplied?: boolean
      /** A padding that `'same'` would give too. */
      readonly isSame?: boolean
    }
  /** A padding of `'same'`. */
  | { readonly kind: 'same'; readonly key: "'same'" }
  | { readonly kind: 'text'; readonly parts: readonly (string | Scalar)[]; readonly key: string }
  | { readonly kind: 'parameter'; readonly parameter: Parameter; readonly key: string }
  | {
      readonly kind: 'arithmetic'
      readonly left: Scalar
      readonly operator: '*' | '/' | '+' | '-'
      readonly right: Scalar
      readonly key: string
    }

export const numberOf = (value: number | bigint): Scalar => ({ kind: 'number', value, key: printNumber(value) })
export const impliedNumber = (value: number): Scalar => ({ ...numberOf(value), isImplied: true }) as Scalar
export const samePadding: Scalar = { kind: 'same', key: "'same'" }

/** A name made of texts and of scalars, which stand between `${}`. */
export function textOf(...parts: readonly (string | Scalar)[]): Scalar {
  const merged: (string | Scalar)[] = []
  const add = (part: string | Scalar): void => {
    if (typeof part === 'object' && part.kind === 'text') {
      for (const inner of part.parts) add(inner)
      return
    }
    const plain = typeof part === 'object' && part.kind === 'number' ? part.key : part
    const last = merged.at(-1)
    if (typeof plain === 'string' && typeof last === 'string') merged[merged.length - 1] = last + plain
    else if (plain !== '') merged.push(plain)
  }
  for (const part of parts) add(part)
  return {
    kind: 'text',
    parts: merged,
    key: `'${merged.map((part) => (typeof part === 'string' ? escaped(part) : `\${${part.key}}`)).join('')}'`,
  }
}
export const parameterOf = (parameter: Parameter): Scalar => ({ kind: 'parameter', parameter, key: `#${parameter.id}` })
export const arithmetic = (left: Scalar, operator: '*' | '/' | '+' | '-', right: Scalar): Scalar => ({
  kind: 'arithmetic',
  left,
  operator,
  right,
  key: `(${left.key} ${operator} ${right.key})`,
})

export const isKnown = (scalar: Scalar): boolean =>
  scalar.kind === 'number' ||
  scalar.kind === 'same' ||
  (scalar.kind === 'text' && scalar.parts.every((part) => typeof part === 'string'))

/** A scalar with parameters replaced. */
export function substitute(scalar: Scalar, given: ReadonlyMap<Parameter, Scalar>): Scalar {
  switch (scalar.kind) {
    case 'number':
    case 'same':
      return scalar
    case 'parameter':
      return given.get(scalar.parameter) ?? scalar
    case 'text':
      return textOf(...scalar.parts.map((part) => (typeof part === 'string' ? part : substitute(part, given))))
    case 'arithmetic': {
      const [left, right] = [substitute(scalar.left, given), substitute(scalar.right, given)]
      if (left.kind === 'number' && right.kind === 'number')
        return numberOf(compute(Number(left.value), scalar.operator, Number(right.value)))
      return arithmetic(left, scalar.operator, right)
    }
  }
}

const compute = (left: number, operator: '*' | '/' | '+' | '-', right: number): number =>
  operator === '*' ? left * right : operator === '/' ? left / right : operator === '+' ? left + right : left - right

/** How a call is written, with holes for tensors and scalars. */
export type Form =
  | { readonly kind: 'value'; readonly index: number }
  | { readonly kind: 'scalar'; readonly index: number }
  /** `uses`: what it calls of the vocabulary. */
  | { readonly kind: 'text'; readonly text: string; readonly uses?: readonly string[] }
  | { readonly kind: 'call'; readonly callee: string; readonly parts: readonly Form[] }
  | { readonly kind: 'list'; readonly items: readonly Form[] }
  /** An entry whose scalar is its fallback is left out. */
  | {
      readonly kind: 'object'
      readonly entries: readonly { readonly key: string; readonly form: Form; readonly fallback?: number }[]
    }

/** What calls have in common that differ in tensors and scalars alone. Equal patterns are one object. */
export interface Pattern {
  readonly id: number
  readonly call: string
  readonly form: Form
  /** What each scalar is used for. */
  readonly roles: readonly string[]
  /** Element types of tensors that go in. */
  readonly operands: readonly DType[]
  /** Element types of results, and how they are returned. */
  readonly results: readonly DType[]
  readonly returns: 'one' | 'list' | readonly string[]
  /** Characters of source, roughly. */
  readonly cost: number
  readonly template: Template | undefined
}

/** One call of the program. */
export interface Item {
  readonly pattern: Pattern
  readonly values: readonly Value[]
  readonly scalars: readonly Scalar[]
  readonly results: readonly Value[]
  /** Names of ONNX nodes that it came from. */
  readonly origins: readonly string[]
}

/** A helper function: what repeated parts of the program have in common. */
export interface Template {
  readonly id: number
  /** What it is, where that is not to be told from its calls. */
  readonly role?: 'network' | 'section'
  readonly operands: readonly Value[]
  readonly parameters: readonly Parameter[]
  readonly results: readonly Value[]
  body: readonly Item[]
}

/** An entry of the model. */
export interface Body {
  readonly entry: string
  readonly inputs: readonly { readonly name: string; readonly value: Value }[]
  readonly outputs: readonly { readonly name: string; readonly value: Value; readonly shape: readonly number[] }[]
  items: readonly Item[]
}

/** Gives out ids, so that everything is numbered alike for equal input. */
export interface Factory {
  value(dtype: DType): Value
  parameter(kind: Parameter['kind'], roles: readonly string[]): Parameter
  /** The pattern with this form; equal forms over equal types give one object. */
  pattern(description: Omit<Pattern, 'id'>): Pattern
  /** The pattern of calls of a helper. */
  callOf(template: Template): Pattern
  nextTemplate(): number
}

export function createFactory(): Factory {
  let ids = 0
  let templates = 0
  const patterns = new Map<string, Pattern>()
  const factory: Factory = {
    value: (dtype) => ({ id: ids++, dtype }),
    parameter: (kind, roles) => ({ id: ids++, kind, roles }),
    nextTemplate: () => templates++,
    callOf: (template) =>
      factory.pattern({
        call: '',
        form: { kind: 'text', text: '' },
        roles: template.parameters.map(({ roles }) => roles[0]!),
        operands: template.operands.map(({ dtype }) => dtype),
        results: template.results.map(({ dtype }) => dtype),
        returns: template.results.length === 1 ? 'one' : 'list',
        cost: 18 + 3 * template.operands.length + (template.results.length > 1 ? 12 * template.results.length : 0),
        template,
      }),
    pattern(description) {
      const { form, operands, results, returns, template } = description
      const key = JSON.stringify([form, operands, results, returns, template?.id])
      const found = patterns.get(key)
      if (found) return found
      const made = { id: patterns.size, ...description }
      patterns.set(key, made)
      return made
    },
  }
  return factory
}
