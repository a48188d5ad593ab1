// What is measured against a peer: models, what goes in, how exact outputs have to be. Data; `rows.ts` says which row is which of these.

export interface ModelSource {
  /** From the root of the repository. */
  readonly file: string
  /** Entry that runs; default the only one. */
  readonly entry?: string
  /** ONNX file as it was published; default: what `exportOnnx` makes of the model. */
  readonly onnx?: string
  /** Where that file keeps its weights, if not in itself. */
  readonly external?: string
}

/** Share of the largest element of the peer's output by which an element may differ. */
export type Tolerance = number

export interface Workload {
  readonly title: string
  readonly models: readonly ModelSource[]
  /** What is run and how one answer leads to the next question: a module of `drivers/`. */
  readonly driver: 'forward' | 'stories' | 'dtln' | 'arrays'
  /** Values of inputs by name, from the lowest to below the second; others lie between −1 and 1. */
  readonly ranges?: Readonly<Record<string, readonly [number, number]>>
  /** Sets of inputs that take turns. Default 8. */
  readonly rotation?: number
  readonly tolerance: Tolerance
  /** What bounds it, and bytes that a run reads where that is bandwidth. */
  readonly bound?: 'f32' | 'int8' | 'bf16' | { readonly bytes: number }
  /** Weights are made by the generator of the zoo first. */
  readonly zoo?: string
  /** Options of our compiler; the peer computes in f32. */
  readonly compile?: { readonly precision?: 'bf16' }
}

/** Rounding alone: sums in another order, Winograd. */
const rounding: Tolerance = 1e-4

/** Of quantised models: a value near the border between two steps falls to one side or the other, and what follows differs by as much. */
const steps: Tolerance = 0.05

/** 8 bits of mantissa through all layers. */
const half = { bound: 'bf16', tolerance: 0.05, compile: { precision: 'bf16' } } as const

const words = { input_ids: [0, 30_522], attention_mask: [1, 2], token_type_ids: [0, 2] } as const

const zoo = (name: string, title: string, more: Partial<Workload> = {}): Workload => ({
  title,
  models: [{ file: `fixtures/zoo/${name}.model.ts` }],
  driver: 'forward',
  tolerance: rounding,
  bound: 'f32',
  zoo: name,
  ...more,
})

const fixture = 'fixtures/stories260k'
const dtln = 'fixtures/dtln-denoise'
const ultraface = 'fixtures/ultraface-rfb-320'

export const workloads = {
  resnet50: zoo('resnet50', 'ResNet-50, batch 1'),
  'bert-base': zoo('bert-base', 'BERT-base, 128 tokens', { ranges: words }),
  'regnety-8gf': zoo('regnety-8gf', 'RegNetY-8GF'),
  'mobilenet-v3-large': zoo('mobilenet-v3-large', 'MobileNetV3-Large'),
  dlrm: zoo('dlrm', 'DLRM, batch 64, other rows each time', {
    ranges: { ids: [0, 100_000] },
    // Together more rows than any cache holds.
    rotation: 32,
    bound: { bytes: 26 * 64 * 32 * 64 * 4 },
  }),
  'resnet50-int8': zoo('resnet50-int8', 'ResNet-50, int8', { bound: 'int8', tolerance: steps }),
  'bert-base-int8': zoo('bert-base-int8', 'BERT-base, int8', { ranges: words, bound: 'int8', tolerance: steps }),
  'resnet50-bf16': zoo('resnet50', 'ResNet-50, bf16 against f32', half),
  'bert-base-bf16': zoo('bert-base', 'BERT-base, bf16 against f32', { ranges: words, ...half }),
  mlp: {
    title: 'MLP 16-32-8, bound buffers',
    models: [{ file: 'test/bench/models/mlp.model.ts' }],
    driver: 'forward',
    tolerance: rounding,
  },
  'mlp-arrays': {
    title: 'MLP 16-32-8, `runSync` with arrays',
    models: [{ file: 'test/bench/models/mlp.model.ts' }],
    driver: 'arrays',
    tolerance: rounding,
  },
  ultraface: {
    title: 'UltraFace, 320×240',
    models: [{ file: `${ultraface}/ultraface-rfb-320.model.ts`, onnx: `${ultraface}/model.onnx` }],
    driver: 'forward',
    tolerance: rounding,
    bound: 'f32',
  },
  stories260k: {
    title: 'stories260k, one token',
    models: [{ file: `${fixture}/stories260k.model.ts`, entry: 'step', onnx: `${fixture}/step.onnx` }],
    driver: 'stories',
    tolerance: 1e-3,
  },
  one: {
    title: 'one addition of 16 numbers',
    models: [{ file: 'test/bench/models/one.model.ts' }],
    driver: 'forward',
    tolerance: 0,
  },
  dtln: {
    title: 'DTLN, one frame of 8 ms',
    models: ['stage1', 'stage2'].map((stage) => ({
      file: `${dtln}/${stage}.model.ts`,
      onnx: `${dtln}/${stage}.onnx`,
      external: `${dtln}/${stage}.safetensors`,
    })),
    driver: 'dtln',
    tolerance: 1e-3,
  },
} as const satisfies Readonly<Record<string, Workload>>

export type WorkloadName = keyof typeof workloads
