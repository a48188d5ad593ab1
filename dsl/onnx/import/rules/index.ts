import type { OpRule, OpRules } from '../context.ts'
import { arrangement } from './arrangement.ts'
import { attentions } from './attention.ts'
import { contrib } from './contrib.ts'
import { contribAttentions } from './contribAttention.ts'
import { contribConvolution, convolution } from './convolution.ts'
import { elementwise } from './elementwise.ts'
import { indexing } from './indexing.ts'
import { movement } from './movement.ts'
import { normalizations } from './normalization.ts'
import { padding } from './pad.ts'
import { contribPool, pool } from './pool.ts'
import { fusedProducts, products } from './product.ts'
import { quantized, quantizedContrib } from './quantized.ts'
import { recurrent } from './recurrent.ts'
import { reductions } from './reduce.ts'
import { resizing } from './resize.ts'
import { shapes } from './shape.ts'

/** Rules by operator domain; `''` is ai.onnx. */
const rules: Readonly<Record<string, OpRules>> = {
  '': {
    ...elementwise,
    ...movement,
    ...shapes,
    ...indexing,
    ...reductions,
    ...products,
    ...normalizations,
    ...quantized,
    ...convolution,
    ...pool,
    ...resizing,
    ...padding,
    ...arrangement,
    ...recurrent,
    ...attentions,
  },
  'com.microsoft': {
    ...contrib,
    ...quantizedContrib,
    ...fusedProducts,
    ...contribConvolution,
    ...contribPool,
    ...contribAttentions,
  },
}

/** Operators that are not folded: the original integers of quantised weights stay, and what is given through keeps its name. */
const unfolded = new Set(['QuantizeLinear', 'DequantizeLinear', 'DynamicQuantizeLinear', 'Identity', 'Dropout'])

const own = <T>(table: Readonly<Record<string, T>>, key: string): T | undefined =>
  Object.hasOwn(table, key) ? table[key] : undefined

export function ruleFor(domain: string, op: string): OpRule | undefined {
  const table = own(rules, domain)
  return table && own(table, op)
}

export const staysUnfolded = (_domain: string, op: string): boolean => unfolded.has(op)

/** Every operator that has a rule: `[domain, op]`. */
export const supportedOperators = (): readonly (readonly [domain: string, op: string])[] =>
  Object.entries(rules).flatMap(([domain, table]) => Object.keys(table).map((op) => [domain, op] as const))

/** What helps where an operator has no rule. */
export function remedyFor(domain: string, op: string): string | undefined {
  const known = domain === '' || domain === 'com.microsoft' ? own(remedies, op) : undefined
  if (known) return known
  if (domain.startsWith('ai.onnx.ml'))
    return 'compute classical machine learning operators before or behind the model, in TypeScript'
  return domain === '' ? undefined : `export the model without operators of ${domain}, or as an ONNX function, which is expanded`
}

const loops = 'export the model with the loop unrolled, or one step of it as a model that is called in a loop'
const random = 'pass the random numbers as an input'
const text = 'compute on text before the model, in TypeScript'
const selection =
  'its result has as many rows as the data says; cut the graph before it and do it behind the model, in TypeScript'
const sequences = 'export the model with tensors in place of sequences'
const remedies: Readonly<Record<string, string>> = {
  Loop: loops,
  Scan: loops,
  NonMaxSuppression: selection,
  Unique: selection,
  Compress: selection,
  NonZero: selection,
  ...Object.fromEntries(
    ['RandomNormal', 'RandomNormalLike', 'RandomUniform', 'RandomUniformLike', 'Multinomial', 'Bernoulli'].map((op) => [
      op,
      random,
    ]),
  ),
  ...Object.fromEntries(
    ['StringNormalizer', 'TfIdfVectorizer', 'StringConcat', 'StringSplit', 'RegexFullMatch', 'LabelEncoder'].map((op) => [
      op,
      text,
    ]),
  ),
  ...Object.fromEntries(
    [
      'SequenceConstruct',
      'SequenceAt',
      'SequenceEmpty',
      'SequenceInsert',
      'SequenceErase',
      'SequenceLength',
      'SequenceMap',
      'SplitToSequence',
      'ConcatFromSequence',
      'Optional',
      'OptionalGetElement',
      'OptionalHasElement',
    ].map((op) => [op, sequences]),
  ),
}
