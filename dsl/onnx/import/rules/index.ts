import type { OpRule, OpRules } from '../context.ts'
import { arrangement } from './arrangement.ts'
import { attentions } from './attention.ts'
import { contribBlocks } from './blocks.ts'
import { classical } from './classical.ts'
import { contrib } from './contrib.ts'
import { contribAttentions } from './contribAttention.ts'
import { contribLayers } from './contribLayers.ts'
import { contribQuantized } from './contribQuantized.ts'
import { contribConvolution, convolution } from './convolution.ts'
import { experimental, withEarlyForms } from './early.ts'
import { elementwise } from './elementwise.ts'
import { generative } from './generative.ts'
import { indexing } from './indexing.ts'
import { losses } from './loss.ts'
import { movement } from './movement.ts'
import { normalizations } from './normalization.ts'
import { padding } from './pad.ts'
import { contribPool, pool } from './pool.ts'
import { fusedProducts, products } from './product.ts'
import { quantized, quantizedContrib } from './quantized.ts'
import { recurrent } from './recurrent.ts'
import { reductions } from './reduce.ts'
import { resizing } from './resize.ts'
import { selections } from './selection.ts'
import { shapes } from './shape.ts'
import { signals } from './signal.ts'
import { texts } from './text.ts'
import { trees } from './trees.ts'
import { vectors } from './vectors.ts'
import { contribVision, vision } from './vision.ts'

/** Operators that com.microsoft had before ONNX did, or has beside it for more element types. */
const sharedWithOnnx: OpRules = {
  CausalConvWithState: generative.CausalConvWithState!,
  GatherND: indexing.GatherND!,
  Pad: padding.Pad!,
  Range: shapes.Range!,
  Trilu: movement.Trilu!,
}

/** Rules by operator domain; `''` is ai.onnx. */
const rules: Readonly<Record<string, OpRules>> = {
  '': withEarlyForms({
    ...elementwise,
    ...movement,
    ...shapes,
    ...selections,
    ...signals,
    ...vision,
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
    ...losses,
    ...texts,
    ...generative,
    ...experimental,
  }),
  'ai.onnx.ml': { ...classical, ...trees, ...vectors },
  'com.microsoft': {
    ...contrib,
    ...quantizedContrib,
    ...contribBlocks,
    ...fusedProducts,
    ...contribConvolution,
    ...contribPool,
    ...contribVision,
    ...contribAttentions,
    ...contribLayers,
    ...contribQuantized,
    ...sharedWithOnnx,
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
  if (domain === 'ai.onnx.ml') return 'compute it before or behind the model, in TypeScript'
  return domain === '' ? undefined : `export the model without operators of ${domain}, or as an ONNX function, which is expanded`
}

const random = 'pass the random numbers as an input'
const text = 'compute on text before the model, in TypeScript'
const remedies: Readonly<Record<string, string>> = {
  ...Object.fromEntries(
    ['RandomNormal', 'RandomNormalLike', 'RandomUniform', 'RandomUniformLike', 'Multinomial', 'Bernoulli'].map((op) => [
      op,
      random,
    ]),
  ),
  ...Object.fromEntries(['StringNormalizer', 'StringConcat', 'StringSplit', 'RegexFullMatch'].map((op) => [op, text])),
}
