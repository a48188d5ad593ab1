import type { OpContext, OpRule, OpRules, Value } from '../context.ts'
import { applyActivation } from './activation.ts'
import { castTo, dimsOf, range, transposed } from './shared.ts'

/** `x · alpha`, where that is not x. */
const scaled = (c: OpContext, x: Value, factor: number): Value => (factor === 1 ? x : c.d.mul(x, factor))

/** alpha · A′ · B′ + beta · C (ONNX Gemm 7 to 13); a transposed weight is what `linear` takes. */
const gemm: OpRule = (c) => {
  const { d } = c
  const [alpha, beta] = [c.float('alpha', 1), c.float('beta', 1)]
  const swap = (x: Value) => d.transpose(x, [1, 0]) as Value
  const left = c.int('transA', 0) !== 0 ? swap(c.input(0)) : c.input(0)
  const right = c.input(1)
  const straight = c.int('transB', 0) === 0
  const bias = beta === 0 ? undefined : c.optional(2)
  const floating = !/^[iu]/.test(left.dtype)
  const columns = dimsOf(right)[straight ? 1 : 0]
  if (!straight && floating && alpha === 1) {
    const fits = bias && beta === 1 && dimsOf(bias).length === 1 && dimsOf(bias)[0] === columns
    const product = d.linear(left, right, fits ? bias : undefined) as Value
    return !bias || fits ? product : d.add(product, scaled(c, bias, beta))
  }
  const product = scaled(c, d.matmul(left, straight ? right : swap(right)) as Value, alpha)
  return bias ? d.add(product, scaled(c, bias, beta)) : product
}

/** Vectors become matrices of one row or column, and the result loses that dimension again, as in NumPy. */
export function productOf(c: OpContext, left: Value, right: Value, apply: (left: Value, right: Value) => Value): Value {
  const [row, column] = [dimsOf(left).length === 1, dimsOf(right).length === 1]
  if (!row && !column) return apply(left, right)
  const product = apply(
    row ? (c.d.unsqueeze(left, { axes: [0] }) as Value) : left,
    column ? (c.d.unsqueeze(right, { axes: [1] }) as Value) : right,
  )
  const rank = dimsOf(product).length
  return c.d.squeeze(product, { axes: [...(row ? [rank - 2] : []), ...(column ? [rank - 1] : [])] })
}

const matmul: OpRule = (c) => productOf(c, c.input(0), c.input(1), (left, right) => c.d.matmul(left, right))

export const products: OpRules = {
  Gemm: gemm,
  MatMul: matmul,
}

/** com.microsoft FusedMatMul: the first dimension may stand in front of those of the batch, and the last two may be exchanged. */
export const fusedMatmul: OpRule = (c) => {
  const side = (i: number, name: string): Value => {
    const x = c.input(i)
    const rank = dimsOf(x).length
    const apart = rank > 2 && c.int(`transBatch${name}`, 0) !== 0
    const axes = apart ? [...range(rank - 2).map((axis) => axis + 1), 0, rank - 1] : range(rank)
    const swapped = rank >= 2 && c.int(`trans${name}`, 0) !== 0
    return transposed(c, x, swapped ? [...axes.slice(0, -2), axes[rank - 1]!, axes[rank - 2]!] : axes)
  }
  const product = productOf(c, side(0, 'A'), side(1, 'B'), (left, right) => c.d.matmul(left, right))
  return scaled(c, castTo(c, product, c.typeOf(0).dtype), c.float('alpha', 1))
}

/** com.microsoft FusedGemm: Gemm, then an activation. */
const fusedGemm: OpRule = (c) => {
  const parameter = (name: string) => (c.node.attributes.has(name) ? c.float(name) : undefined)
  return applyActivation(c, gemm(c) as Value, [parameter('activation_alpha'), parameter('activation_beta')])
}

export const fusedProducts: OpRules = { FusedMatMul: fusedMatmul, FusedGemm: fusedGemm }
