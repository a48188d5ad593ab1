import { atom, type Expression } from './expression.ts'
import type { Parameter, Scalar } from './program.ts'
import { escaped, printNumber, quoted } from './text.ts'

/** Numbers that have a name: a linter would ask for it, and a reader too. */
export const constants: readonly (readonly [string, number])[] = [
  ['Math.PI', Math.PI],
  ['Math.E', Math.E],
  ['Math.SQRT2', Math.SQRT2],
  ['Math.SQRT1_2', Math.SQRT1_2],
  ['Math.LN2', Math.LN2],
  ['Math.LN10', Math.LN10],
  ['Math.LOG2E', Math.LOG2E],
  ['Math.LOG10E', Math.LOG10E],
]

/** Source of a number or a name, where parameters have names. */
export function scalarText(scalar: Scalar, nameOf: (parameter: Parameter) => string): string {
  switch (scalar.kind) {
    case 'number':
      return constants.find(([, value]) => Object.is(value, scalar.value))?.[0] ?? printNumber(scalar.value)
    case 'same':
      return scalar.key
    case 'parameter':
      return nameOf(scalar.parameter)
    case 'arithmetic': {
      const isProduct = scalar.operator === '*' || scalar.operator === '/'
      const side = (inner: Scalar, isRight: boolean) => {
        const text = scalarText(inner, nameOf)
        if (inner.kind !== 'arithmetic') return text
        const innerIsProduct = inner.operator === '*' || inner.operator === '/'
        return isProduct !== innerIsProduct ? (isProduct ? `(${text})` : text) : isRight || isProduct ? `(${text})` : text
      }
      return `${side(scalar.left, false)} ${scalar.operator} ${side(scalar.right, true)}`
    }
    case 'text': {
      const [only] = scalar.parts
      if (scalar.parts.every((part) => typeof part === 'string')) return quoted(scalar.parts.join(''))
      if (scalar.parts.length === 1 && typeof only === 'object' && only.kind === 'parameter' && only.parameter.kind === 'text')
        return nameOf(only.parameter)
      const inner = scalar.parts.map((part) => (typeof part === 'string' ? escaped(part) : `\${${scalarText(part, nameOf)}}`))
      return `\`${inner.join('')}\``
    }
  }
}

export const scalarExpression = (scalar: Scalar, nameOf: (parameter: Parameter) => string): Expression =>
  atom(scalarText(scalar, nameOf))
