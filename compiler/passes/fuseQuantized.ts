import { borderRules } from './quantized/borders.ts'
import { meanRules } from './quantized/means.ts'
import { movementRules } from './quantized/movement.ts'
import { productRules } from './quantized/products.ts'
import { tableRules } from './quantized/tables.ts'
import { rulePass } from './rule.ts'

/**
 * Computes with integers what was written as decoding, computing and encoding. Decoding moves towards the results: behind movements
 * as it is, behind convolutions and products with the product of the scales, until it meets an encoding. Functions of one byte become
 * tables, which are exact. Sums count in steps of what encodes them. What else is done between decoding and encoding element by element stays
 * float arithmetic inside one kernel.
 * At most one step away from the float form; exact where no product, sum or mean is involved.
 *
 *     %2 = dequantize(%0) {scale: [0.5], zeroPoint: [128]}
 *     %3 = dequantize(%1) {scale: [0.25], zeroPoint: [0]}
 *     %4 = conv(%2, %3)
 *     %5 = relu(%4)
 *     %6 = quantize(%5) {dtype: "u8", scale: [0.5], zeroPoint: [0]}
 *   →
 *     %2 = convInteger(%0, %1) {inputZeroPoint: 128, weightZeroPoint: [0]}
 *     %3 = requantize(%2) {dtype: "u8", inputScale: [0.125], scale: 0.5, zeroPoint: 0}
 */
export const fuseQuantized = rulePass({
  name: 'fuse-quantized',
  summary: 'Compute with stored integers between decoding and encoding',
  level: 'composite',
  follows: [
    { pass: 'raise-clamp', because: 'limits are looked for as relu and clamp' },
    { pass: 'simplify-pad', because: 'padding belongs to the convolution before decoding moves behind it' },
  ],
  rules: [...borderRules, ...tableRules, ...movementRules, ...productRules, ...meanRules],
})
