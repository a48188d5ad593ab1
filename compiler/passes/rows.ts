// What becomes of each rewrite of the Glow compiler here (rows OP-01 to OP-65): the passes and rules that have its effect, or why there is
// none. `rows.md` is printed from this; tests hold names and page against it.

export interface Row {
  readonly id: string
  /** What Glow calls it, in a few words. */
  readonly effect: string
  /** `pass` or `pass/rule`. Empty where no pass does it. */
  readonly by: readonly string[]
  /** Files of other rooms that have the effect, from the package's root. */
  readonly files?: readonly string[]
  /** What is different here, or why there is none. Required where nothing else stands. */
  readonly note?: string
}

const row = (id: number, effect: string, by: readonly string[], more: Pick<Row, 'files' | 'note'> = {}): Row => ({
  id: `OP-${String(id).padStart(2, '0')}`,
  effect,
  by,
  ...more,
})

export const rows: readonly Row[] = [
  row(1, 'Dead code', ['eliminate-dead-code'], {
    note: 'A finished graph holds what its outputs reach, so that only dead nodes of unfinished ones are left.',
  }),
  row(2, 'Common subexpressions', ['merge-equal-constants'], {
    files: ['compiler/graph/builder.ts'],
    note: 'The builder shares equal pure nodes; the pass merges constants with equal bytes, after which their readers merge.',
  }),
  row(3, 'Constant folding', ['fold-constants'], {
    note: 'By the interpreter. What would grow a bundle, and what decodes weights, is left.',
  }),
  row(4, 'Transposes sink', [
    'sink-transpose/transpose-below-elementwise',
    'sink-transpose/transpose-below-concat',
    'sink-transpose/transpose-below-pad',
    'sink-transpose/transpose-below-slice',
    'sink-transpose/transpose-below-softmax',
    'sink-transpose/transpose-below-reduction',
    'sink-transpose/transpose-below-batch-norm',
    'sink-transpose/transpose-below-coding',
  ]),
  row(5, 'Conversions sink below concatenation', ['simplify-concat/concat-of-casts'], {
    note: 'Where the conversion does not narrow: otherwise more bytes would be put side by side.',
  }),
  row(6, 'Reshapes sink', ['sink-reshape/reshape-below-elementwise']),
  row(7, 'Hoisting', ['sink-transpose/transpose-below-expand', 'simplify-concat/concat-of-function-of-slices'], {
    note: 'Functions of slices become one where the slices are brought back together; elsewhere each is part of the kernel that reads its slice.',
  }),
  row(
    8,
    'Products with one right operand',
    ['merge-products/layers-of-one-weight', 'factor-products/layers-of-one-weight-summed'],
    {
      note: 'Constant weights, values that do not need each other, and only where the cost model says that it pays.',
    },
  ),
  row(9, 'Products with one left operand', ['merge-products/layers-of-one-input', 'factor-products/layers-of-one-input-summed'], {
    note: 'Linear layers and convolutions with constant weights, where the cost model says that it pays: query, key and value of many tokens would have to be copied apart.',
  }),
  row(
    10,
    'Padding into convolutions',
    ['simplify-pad/pad-into-conv', 'simplify-pad/pad-into-avg-pool', 'simplify-pad/pad-into-max-pool'],
    {
      note: 'No combined padding can be negative: `pad` has no negative padding.',
    },
  ),
  row(11, 'Small convolutions', ['simplify-conv/conv-without-unseen-taps']),
  row(12, 'Transpose into the weights of a linear layer', ['sink-transpose/transpose-into-linear']),
  row(13, 'Product with a repeated matrix', [
    'simplify-expand/expand-under-broadcasting',
    'simplify-matmul/matmul-of-shared-right',
  ]),
  row(14, 'Sums with consecutive slices', ['simplify-concat/concat-of-function-of-slices']),
  row(15, 'Mean to pool', [], {
    note: 'A mean over the last axes is one vectorised reduction here; a pool with one window does the same work with more bookkeeping.',
  }),
  row(
    16,
    'Arithmetic chain after a convolution',
    ['fold-affine/constants-into-weights', 'fold-affine/factor-into-weights', 'simplify-arithmetic/constant-chain'],
    {
      note: 'Into weights and bias at once, not into a batch norm first.',
    },
  ),
  row(17, 'Arithmetic chain after a batch norm', [
    'fold-affine/constants-into-weights',
    'fold-batch-norm/batch-norm-into-producer',
  ]),
  row(18, 'Sum after a transposed convolution', ['fold-affine/constants-into-weights']),
  row(19, 'Batch norm folding', ['fold-batch-norm/batch-norm-into-producer']),
  row(20, 'Concatenations', [
    'simplify-concat/concat-of-one',
    'simplify-concat/concat-without-empty',
    'simplify-concat/concat-of-concat',
    'simplify-concat/concat-of-slices',
    'simplify-concat/concat-of-reshapes',
  ]),
  row(
    21,
    'Arithmetic identities',
    [
      'simplify-arithmetic/neutral-operand',
      'simplify-arithmetic/absorbing-operand',
      'simplify-arithmetic/zero-dividend',
      'simplify-arithmetic/constant-to-the-right',
    ],
    { note: 'x · 0 and 0 / x of floats only with `assumeFinite`.' },
  ),
  row(22, 'Transposed constants', ['fold-constants']),
  row(23, 'Splats', ['simplify-expand/movement-of-repeated', 'simplify-expand/function-of-repeated'], {
    note: 'A splat is an expansion of one element.',
  }),
  row(24, 'Transpose into reshape', ['simplify-transpose/transpose-into-reshape', 'simplify-transpose/transpose-of-ones']),
  row(25, 'Reshapes', ['simplify-reshape/reshape-of-reshape', 'simplify-reshape/reshape-to-same-shape', 'fold-constants']),
  row(26, 'Resizes', ['simplify-noop/resample-to-same-shape', 'simplify-noop/resize-from-one']),
  row(27, 'Insertions that overwrite everything', [], {
    note: 'No op inserts into a tensor: concatenations and pads say what the result is, and buffers are allocated without contents.',
  }),
  row(28, 'No-ops', [
    'simplify-noop/pool-of-one',
    'simplify-noop/where-known',
    'simplify-noop/reduce-of-one',
    'simplify-pad/pad-by-nothing',
    'simplify-slice/slice-of-everything',
    'simplify-expand/expand-to-same-shape',
  ]),
  row(29, 'Clips', ['simplify-clamp/clamp-of-clamp', 'simplify-clamp/limit-already-kept']),
  row(30, 'Conversions', ['simplify-cast/cast-to-same', 'simplify-cast/cast-of-widening-cast', 'fold-constants']),
  row(
    31,
    'Quantisation',
    [
      'fuse-quantized/quantize-of-dequantize',
      'fuse-quantized/quantize-of-sums',
      'fuse-quantized/table-of-function',
      'fuse-quantized/table-of-table',
      'fuse-quantized/dequantize-behind-movement',
      'simplify-expand/function-of-repeated',
      'fold-constants',
    ],
    {
      note: 'Encoding and decoding again stays: it rounds, and dropping it would change results by up to a step (rules 3, 4, 7 and 8 of Glow). Element by element, what lies between decoding and encoding is float arithmetic inside one kernel.',
    },
  ),
  row(32, 'Leaky relu', ['raise-activation/maximum-into-leaky-relu']),
  row(33, 'Channel shuffle', [], {
    note: 'The three movements become one transpose between views, which the kernel that reads it reads through; an op of its own would say no more.',
  }),
  row(34, 'Gather to slice', ['simplify-gather/gather-into-slice']),
  row(35, 'Sum with repeated rows', ['simplify-expand/expand-under-broadcasting']),
  row(36, 'Conversions into outputs', [], {
    note: 'The dtype of an output is part of the TypeScript type that callers see; an option of the build must not change it. `cast` in the model does.',
  }),
  row(37, 'Conversions into inputs', [], {
    note: 'Conversions of weights are folded. The dtype of an input is part of the TypeScript type that callers see. Declare it as `tensor(…)` of that dtype.',
  }),
  row(38, 'Product and sum to linear layer', ['raise-linear/add-into-linear-bias']),
  row(39, 'Product to linear layer', ['raise-linear/matmul-into-linear', 'raise-linear/conv-of-whole-sequence-into-linear'], {
    note: 'Always: without a bias it costs nothing.',
  }),
  row(40, 'Slices of constants', ['fold-constants']),
  row(41, 'Dilated convolution', ['raise-dilation/convolution-of-phases-into-dilated']),
  row(42, 'Slice of a concatenation', ['simplify-slice/slice-of-concat']),
  row(43, 'Concatenation of slices', ['simplify-concat/concat-of-slices']),
  row(44, 'Clips above movements', ['sink-reshape/reshape-below-elementwise', 'sink-transpose/transpose-below-elementwise'], {
    note: 'By moving the movement. Above a slice a clip would limit what nobody reads.',
  }),
  row(45, 'Clips beyond fp16', ['simplify-clamp/limit-already-kept'], {
    note: 'For any limits that the decoded integers do not reach, which changes nothing and needs no option.',
  }),
  row(46, 'Clip and quantisation', ['fuse-quantized/limits-beyond-encoding', 'fuse-quantized/quantize-of-dequantize'], {
    note: 'Limits within the integers become limits of the integers; the parameters of a model are never changed.',
  }),
  row(47, 'Intermediate conversions', ['simplify-cast/cast-of-widening-cast'], {
    note: '`quantize` and `dequantize` are of f32; conversions beside them are part of the same kernel.',
  }),
  row(48, 'Quantised layer and float relu', ['fuse-quantized/quantize-of-sums', 'fuse-quantized/quantize-before-concat']),
  row(49, 'Concatenation of quantised parts', [
    'fuse-quantized/quantize-before-concat',
    'fuse-quantized/dequantize-behind-concat',
  ]),
  row(50, 'Concatenation below quantisation', ['fuse-quantized/quantize-before-concat']),
  row(51, 'Arithmetic after layer norm', ['raise-normalization/mul-into-norm', 'raise-normalization/add-into-layer-norm']),
  row(52, 'Quantised swish', ['fuse-quantized/table-of-function'], { note: 'As any function of one byte.' }),
  row(53, 'Linear layer to 1×1 convolution', [], {
    note: 'Both are matrix products with the same kernel; which is written does not matter.',
  }),
  row(54, 'Minimum and maximum to clip', ['raise-clamp/minimum-and-maximum-into-clamp']),
  row(55, 'Scales that vanish in fp16', [], { note: 'Scales are f32 throughout and never 0.' }),
  row(56, 'Quantised hard swish', ['fuse-quantized/table-of-function']),
  row(57, 'Softmax', ['raise-softmax/powers-by-their-sum-into-softmax']),
  row(58, 'Identity relu', ['simplify-clamp/limit-already-kept', 'fuse-quantized/limits-beyond-encoding']),
  row(59, 'Identity clip', ['simplify-clamp/limit-already-kept', 'fuse-quantized/limits-beyond-encoding']),
  row(60, 'Activations of layers', [], {
    files: ['compiler/fuse/group.ts'],
    note: 'Fusion puts any elementwise expression behind a layer into its kernel, where the target agrees.',
  }),
  row(61, 'Indices of 32 bits', ['narrow-indices/indices-into-i32'], {
    note: 'Where the positions are known to fit; what a caller gives keeps its dtype and is refused when it lies outside.',
  }),
  row(62, 'Pass manager', [], { files: ['compiler/pipeline/passList.ts', 'compiler/pipeline/runPasses.ts'] }),
  row(63, 'Pipelines', [], {
    files: ['compiler/pipeline/phases.ts'],
    note: '`fold`, `optimise` with `optimise-lowered`, and `clean-up-casts`.',
  }),
  row(64, 'Statistics and log', [], { files: ['compiler/pipeline/runPasses.ts'] }),
  row(65, 'Bisection', [], { files: ['compiler/pipeline/bisect.ts'] }),
]

/** The page `rows.md`. */
export function printRows(): string {
  const cell = ({ by, files = [], note = '' }: Row): string =>
    [[...by, ...files].map((name) => `\`${name}\``).join(', '), note].filter((part) => part !== '').join('. ')
  return [
    '# What becomes of each rewrite of Glow',
    '',
    'Printed from `rows.ts`. `pass/rule` names a rule of a pass; without either stands why there is none.',
    '',
    '| row | effect | here |',
    '| --- | --- | --- |',
    ...rows.map((each) => `| ${each.id} | ${each.effect} | ${cell(each)} |`),
    '',
  ].join('\n')
}
