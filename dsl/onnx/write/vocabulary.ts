/** What the writer knows about functions of the vocabulary beyond what a recording says: how people write their arguments. */

const convolution = { stride: 1, padding: 0, dilation: 1, groups: 1 }
const pool = { padding: 0, dilation: 1 }
const reduction = { keepDims: false }

/** What options are when they are left out. */
const defaults: Readonly<Record<string, Readonly<Record<string, number | boolean | string>>>> = {
  conv1d: convolution,
  conv2d: convolution,
  conv3d: convolution,
  maxPool1d: pool,
  maxPool2d: pool,
  avgPool1d: { ...pool, countPadding: true },
  avgPool2d: { ...pool, countPadding: true },
  batchNorm: { epsilon: 1e-5 },
  layerNorm: { dims: 1, epsilon: 1e-5 },
  rmsNorm: { dims: 1, epsilon: 1e-5 },
  groupNorm: { epsilon: 1e-5 },
  instanceNorm: { epsilon: 1e-5 },
  leakyRelu: { slope: 0.01 },
  elu: { alpha: 1 },
  gelu: { approximate: 'none' },
  sum: reduction,
  prod: reduction,
  max: reduction,
  min: reduction,
  mean: reduction,
  l1Norm: reduction,
  l2Norm: reduction,
  sumOfSquares: reduction,
  logSumExp: reduction,
  variance: { ...reduction, correction: 0 },
  standardDeviation: { ...reduction, correction: 0 },
  gather: { axis: 0 },
  flatten: { axis: 1 },
  stack: { axis: 0 },
  pad: { mode: 'constant', value: 0 },
  resize: { mode: 'nearest', coordinates: 'halfPixel', rounding: 'roundPreferFloor', cubicCoefficient: -0.75 },
  slice: { step: 1 },
  quantize: { zeroPoint: 0 },
  dequantize: { zeroPoint: 0 },
}

export const defaultsOf = (call: string): Readonly<Record<string, number | boolean | string>> => defaults[call] ?? {}

/** How many arguments stand before the options, for functions whose options are numbers. */
export const optionsAt = (call: string): number | undefined =>
  /^conv\dd$/.test(call) ? 3 : call === 'batchNorm' ? 5 : call === 'layerNorm' ? 3 : call === 'rmsNorm' ? 2 : undefined

/** Functions whose axis is the last unless told. */
export const takesLastAxis: ReadonlySet<string> = new Set(['softmax', 'logSoftmax'])

/** Convolutions and pools by their spatial axes: one number may stand for all axes. */
export const windowAxes: Readonly<Record<string, number>> = {
  conv1d: 1,
  conv2d: 2,
  conv3d: 3,
  maxPool1d: 1,
  maxPool2d: 2,
  maxPool3d: 3,
  avgPool1d: 1,
  avgPool2d: 2,
  avgPool3d: 3,
}

/** Numbers that say how dimensions are arranged: calls that differ in them are different calls. */
const structural = new Set(['axis', 'axes', 'order', 'dims', 'count', 'step', 'batchDims', 'direction'])
export const isStructural = (call: string, role: string): boolean =>
  structural.has(role) || (call === 'transpose' && role === 'order')

/** Names of positional arguments that are no tensors. */
const positions: Readonly<Record<string, Readonly<Record<number, string>>>> = {
  transpose: { 1: 'order' },
  reshape: { 1: 'size' },
  expand: { 1: 'size' },
  expectShape: { 1: 'size' },
  resize: { 1: 'size' },
  split: { 1: 'part' },
  maxPool1d: { 1: 'window' },
  maxPool2d: { 1: 'window' },
  maxPool3d: { 1: 'window' },
  avgPool1d: { 1: 'window' },
  avgPool2d: { 1: 'window' },
  avgPool3d: { 1: 'window' },
  add: { 0: 'offset', 1: 'offset' },
  sub: { 0: 'from', 1: 'offset' },
  mul: { 0: 'factor', 1: 'factor' },
  div: { 0: 'dividend', 1: 'divisor' },
  pow: { 0: 'base', 1: 'exponent' },
  minimum: { 0: 'limit', 1: 'limit' },
  maximum: { 0: 'limit', 1: 'limit' },
  where: { 1: 'whenTrue', 2: 'whenFalse' },
  prelu: { 1: 'slope' },
}

/** Whether numbers stand in place of tensors among the arguments. */
export const takesNumbers = (call: string): boolean => /^(?:add|sub|mul|div|pow|minimum|maximum|where)$/.test(call)

export const roleAt = (call: string, index: number): string => positions[call]?.[index] ?? 'value'

const kernel = ['to', 'from', 'kernel', 'kernel', 'kernel']
const weightShapes: Readonly<Record<string, Readonly<Record<number, readonly string[]>>>> = {
  conv1d: { 1: kernel, 2: ['to'] },
  conv2d: { 1: kernel, 2: ['to'] },
  conv3d: { 1: kernel, 2: ['to'] },
  linear: { 1: ['to', 'from'], 2: ['to'] },
  matmul: { 0: ['to', 'from'], 1: ['from', 'to'] },
  embedding: { 1: ['rows', 'width'] },
  dequantize: { 0: kernel },
}
const norms = new Set(['batchNorm', 'layerNorm', 'rmsNorm', 'groupNorm', 'instanceNorm', 'prelu'])

/** What dimension `axis` of a weight that is argument `index` of a call stands for. */
export const weightRole = (call: string, index: number, axis: number): string =>
  weightShapes[call]?.[index]?.[axis] ?? (norms.has(call) ? 'channels' : 'size')

/** What a function makes, as the name of a variable. */
const results: Readonly<Record<string, string>> = {
  add: 'sum',
  sub: 'difference',
  mul: 'product',
  div: 'quotient',
  mod: 'remainder',
  pow: 'power',
  negate: 'negative',
  abs: 'magnitude',
  sqrt: 'root',
  rsqrt: 'factor',
  exp: 'growth',
  log: 'logarithm',
  sigmoid: 'gate',
  tanh: 'squashed',
  relu: 'activated',
  leakyRelu: 'activated',
  prelu: 'activated',
  elu: 'activated',
  gelu: 'activated',
  silu: 'activated',
  mish: 'activated',
  hardSwish: 'activated',
  hardSigmoid: 'gate',
  clamp: 'clamped',
  softmax: 'shares',
  logSoftmax: 'logarithms',
  matmul: 'product',
  linear: 'projected',
  conv1d: 'convolved',
  conv2d: 'convolved',
  conv3d: 'convolved',
  convTranspose1d: 'upsampled',
  convTranspose2d: 'upsampled',
  convTranspose3d: 'upsampled',
  maxPool1d: 'pooled',
  maxPool2d: 'pooled',
  maxPool3d: 'pooled',
  avgPool1d: 'pooled',
  avgPool2d: 'pooled',
  avgPool3d: 'pooled',
  adaptiveAvgPool1d: 'pooled',
  adaptiveAvgPool2d: 'pooled',
  adaptiveMaxPool2d: 'pooled',
  globalAvgPool: 'pooled',
  globalMaxPool: 'pooled',
  sum: 'total',
  prod: 'total',
  mean: 'average',
  max: 'largest',
  min: 'smallest',
  variance: 'spread',
  batchNorm: 'normalised',
  layerNorm: 'normalised',
  rmsNorm: 'normalised',
  groupNorm: 'normalised',
  instanceNorm: 'normalised',
  reshape: 'reshaped',
  flatten: 'flat',
  squeeze: 'squeezed',
  unsqueeze: 'widened',
  transpose: 'transposed',
  expand: 'repeated',
  slice: 'part',
  split: 'part',
  gather: 'picked',
  embedding: 'embedded',
  concat: 'joined',
  stack: 'stacked',
  pad: 'padded',
  resize: 'resized',
  where: 'chosen',
  cast: 'converted',
  equal: 'isEqual',
  notEqual: 'differs',
  less: 'isLess',
  lessOrEqual: 'isLess',
  greater: 'isGreater',
  greaterOrEqual: 'isGreater',
  not: 'isOther',
  and: 'both',
  or: 'either',
  quantize: 'quantized',
  dequantize: 'dequantized',
  constant: 'table',
  full: 'table',
}

export const resultWord = (call: string): string => results[call] ?? 'y'

/** What the weights of a function are called as a whole, where a helper is given their name. */
const layers: Readonly<Record<string, string>> = {
  conv1d: 'convolution',
  conv2d: 'convolution',
  conv3d: 'convolution',
  batchNorm: 'norm',
  layerNorm: 'norm',
  rmsNorm: 'norm',
  groupNorm: 'norm',
  instanceNorm: 'norm',
  linear: 'layer',
  matmul: 'matrix',
  add: 'bias',
  mul: 'scale',
  embedding: 'table',
}

export const layerWord = (call: string): string => layers[call] ?? 'weight'

/** Functions in words, where the name alone does not say it. */
const words: Readonly<Record<string, string>> = {
  conv1d: 'convolution',
  conv2d: 'convolution',
  conv3d: 'convolution',
  convTranspose1d: 'transposed convolution',
  convTranspose2d: 'transposed convolution',
  convTranspose3d: 'transposed convolution',
  batchNorm: 'batch normalisation',
  layerNorm: 'layer normalisation',
  rmsNorm: 'RMS normalisation',
  groupNorm: 'group normalisation',
  instanceNorm: 'instance normalisation',
  relu: 'ReLU',
  gelu: 'GELU',
  silu: 'SiLU',
  elu: 'ELU',
  leakyRelu: 'leaky ReLU',
  prelu: 'PReLU',
  hardSwish: 'hard swish',
  hardSigmoid: 'hard sigmoid',
  maxPool1d: 'max pool',
  maxPool2d: 'max pool',
  avgPool1d: 'average pool',
  avgPool2d: 'average pool',
  globalAvgPool: 'global average pool',
  globalMaxPool: 'global max pool',
  linear: 'linear layer',
  matmul: 'matrix product',
  lstm: 'LSTM',
  gru: 'GRU',
  add: 'sum',
  sub: 'difference',
  mul: 'product',
  div: 'quotient',
  pow: 'power',
  concat: 'concatenation',
  sqrt: 'root',
}

export const inWords = (call: string): string => words[call] ?? call
