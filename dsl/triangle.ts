import { readInteger, readOptions } from './check.ts'
import type { Tensor } from './tensor.ts'
import { call } from './tracer.ts'

function triangle(op: 'triu' | 'tril', input: unknown, options: unknown): any {
  const { diagonal } = readOptions(op, options, ['diagonal'])
  return call(op, { input }, { diagonal: readInteger(op, 'diagonal', diagonal ?? 0, Number.MIN_SAFE_INTEGER) })
}

/**
 * Matrices with zeros below a diagonal.
 * @param input `[…, rows, columns]`, any element type
 * @param options `diagonal`: the lowest that is kept, 0 (default) from the first element on, 1 the one above it
 */
export function triu<X extends Tensor>(input: X, options?: { readonly diagonal?: number }): X {
  return triangle('triu', input, options)
}

/**
 * Matrices with zeros above a diagonal.
 * @param input `[…, rows, columns]`, any element type
 * @param options `diagonal`: the highest that is kept, 0 (default) from the first element on, 1 the one above it
 */
export function tril<X extends Tensor>(input: X, options?: { readonly diagonal?: number }): X {
  return triangle('tril', input, options)
}
