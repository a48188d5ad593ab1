import type { CompositeName } from '../../graph/index.ts'
import type { SplitName, SplitRule } from '../rule.ts'
import { refuse } from '../rule.ts'
import { elementwiseRules } from './elementwise.ts'
import { bagOffsets, embeddingBag, raggedEmbeddingBag } from './embeddingBag.ts'
import { indexingRules } from './indexing.ts'
import { movementRules } from './movement.ts'
import { keptNormalizationRules } from './normalization.ts'
import { keptProductRules, productRules } from './product.ts'
import { recurrence } from './recurrence.ts'
import { reduceRules } from './reduce.ts'
import { rotaryEmbedding } from './rotaryEmbedding.ts'
import { windowRules } from './window.ts'

/**
 * How each op is computed in parts. A primitive without a row does not compile; composites have one where a target may keep them and
 * they can be divided. Elementwise composites need none: they are divided as all elementwise ops are.
 */
export const splitRules: { readonly [K in SplitName]: SplitRule<K> } & { readonly [K in CompositeName]?: SplitRule<K> } = {
  ...elementwiseRules,
  ...movementRules,
  ...indexingRules,
  ...reduceRules,
  ...productRules,
  ...keptProductRules,
  ...keptNormalizationRules,
  bagOffsets,
  embeddingBag,
  raggedEmbeddingBag,
  rotaryEmbedding,
  recurrence,
  gridSample: (_, axis, range) => ({
    needs: { input: axis < 2 ? { axis, range } : 'all', grid: axis === 1 ? 'all' : { axis: axis === 0 ? 0 : axis - 1, range } },
  }),
  regionPool: (_, axis, range) => {
    if (axis === 0) return { needs: { input: 'all', regions: { axis, range }, images: { axis, range } } }
    if (axis === 1) return { needs: { input: { axis, range }, regions: 'all', images: 'all' } }
    return refuse('the cells of a region share its samples')
  },
  resultOf: () => refuse('it is a view'),
  ...windowRules,
  bitCast: ({ operands: { input }, type }, axis, range) =>
    axis < type.shape.length - 1 || input.shape.at(-1) === type.shape.at(-1)
      ? { needs: { input: { axis, range } } }
      : refuse('elements of another size divide elsewhere'),
  storageCast: ({ attributes }, axis, range) =>
    attributes.axis === undefined
      ? { needs: { input: { axis, range } } }
      : refuse('its elements are quantised differently along a dimension'),
}
