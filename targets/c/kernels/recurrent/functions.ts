import { type RecurrentActivation, recurrentActivations, recurrentCells } from '../../../../compiler/graph/index.ts'
import { floatText } from '../../scalar.ts'
import type { Attributes } from './setting.ts'

/** C of a function over x with its parameters. */
type Form = (x: string, alpha: string, beta: string) => string

/** On vectors; the negative branch is chosen where x < 0, so that NaN takes the other and stays. */
const vectors: Readonly<Record<RecurrentActivation, Form>> = {
  affine: (x, alpha, beta) => `(${alpha} * ${x} + ${beta})`,
  elu: (x, alpha) => `gp_select_v(${x} < SPLAT(0.0f), ${alpha} * (gp_exp_v(${x}) - SPLAT(1.0f)), ${x})`,
  hardSigmoid: (x, alpha, beta) => `gp_min_v(gp_max_v(${alpha} * ${x} + ${beta}, SPLAT(0.0f)), SPLAT(1.0f))`,
  leakyRelu: (x, alpha) => `gp_select_v(${x} < SPLAT(0.0f), ${alpha} * ${x}, ${x})`,
  relu: (x) => `gp_max_v(${x}, SPLAT(0.0f))`,
  scaledTanh: (x, alpha, beta) => `(${alpha} * gp_tanh_v(${beta} * ${x}))`,
  sigmoid: (x) => `gp_sigmoid_v(${x})`,
  softplus: (x) => `(gp_max_v(${x}, SPLAT(0.0f)) + gp_log_v(SPLAT(1.0f) + gp_exp_v((vf)((vu)${x} | 0x80000000u))))`,
  softsign: (x) => `(${x} / (SPLAT(1.0f) + (vf)((vi)${x} & 0x7fffffff)))`,
  tanh: (x) => `gp_tanh_v(${x})`,
  thresholdedRelu: (x, alpha) => `gp_select_v(${x} >= ${alpha}, ${x}, SPLAT(0.0f))`,
}

/** On doubles. */
const doubles: Readonly<Record<RecurrentActivation, Form>> = {
  affine: vectors.affine,
  elu: (x, alpha) => `(${x} < 0.0 ? ${alpha} * (gp_exp_f64(${x}) - 1.0) : ${x})`,
  hardSigmoid: (x, alpha, beta) =>
    `(${alpha} * ${x} + ${beta} < 0.0 ? 0.0 : ${alpha} * ${x} + ${beta} > 1.0 ? 1.0 : ${alpha} * ${x} + ${beta})`,
  leakyRelu: (x, alpha) => `(${x} < 0.0 ? ${alpha} * ${x} : ${x})`,
  relu: (x) => `(${x} < 0.0 ? 0.0 : ${x})`,
  scaledTanh: (x, alpha, beta) => `(${alpha} * gp_tanh_f64(${beta} * ${x}))`,
  sigmoid: (x) => `gp_sigmoid_f64(${x})`,
  softplus: (x) => `((${x} < 0.0 ? 0.0 : ${x}) + gp_log_f64(1.0 + gp_exp_f64(${x} < 0.0 ? ${x} : -${x})))`,
  softsign: (x) => `(${x} / (1.0 + (${x} < 0.0 ? -${x} : ${x})))`,
  tanh: (x) => `gp_tanh_f64(${x})`,
  thresholdedRelu: (x, alpha) => `(${x} >= ${alpha} ? ${x} : 0.0)`,
}

/**
 * The functions in the order of the formula, as C over a variable; where directions differ, that of the variable `d`.
 * @param kind vectors of f32, or doubles
 */
export function functionsOf(
  { kind: cell, activations, alpha, beta }: Attributes,
  kind: 'vector' | 'double',
): readonly ((x: string) => string)[] {
  const count = recurrentCells[cell].activations
  const number = (value: number) => (kind === 'vector' ? `SPLAT(${floatText(Math.fround(value))})` : floatText(value, true))
  const of = (i: number) => (x: string) => {
    const name = activations[i]!
    const usual: { readonly alpha?: number; readonly beta?: number } = recurrentActivations[name]
    const forms = kind === 'vector' ? vectors : doubles
    return forms[name](x, number(alpha[i] ?? usual.alpha ?? 0), number(beta[i] ?? usual.beta ?? 0))
  }
  return Array.from({ length: count }, (_, i) => (x: string) => {
    const [first, second = first] = [i, i + count].slice(0, activations.length / count).map((at) => of(at)(x))
    return first === second ? first! : `(d == 0 ? ${first} : ${second})`
  })
}
