/** What a measurement is of, and what it is counted in. */
export const metrics = {
  /** Time of the peer over ours, threads and inputs being equal. */
  ratio: { unit: '×', better: 'more' },
  /** Peak resident memory over that of the peer. */
  memory: { unit: '×', better: 'less' },
  seconds: { unit: 's', better: 'less' },
  milliseconds: { unit: 'ms', better: 'less' },
  microseconds: { unit: 'µs', better: 'less' },
} as const

export type Metric = keyof typeof metrics

/** What a row has to reach, and what it should. */
export interface Demand {
  readonly metric: Metric
  readonly must: number
  readonly aim: number
}

const ratio = (must: number, aim: number): Demand => ({ metric: 'ratio', must, aim })

/** By row. Rows without a demand are measured and not judged. */
export const demands: Readonly<Record<string, Demand>> = {
  resnet50: ratio(1.2, 1.35),
  'bert-base': ratio(1.25, 1.4),
  'regnety-8gf': ratio(1.2, 1.45),
  'mobilenet-v3-large': ratio(1.35, 1.7),
  dlrm: ratio(2.5, 4.5),
  'resnet50-int8': ratio(1.25, 1.45),
  'bert-base-int8': ratio(1.3, 1.6),
  mlp: ratio(20, 60),
  'mlp-arrays': ratio(20, 60),
  ultraface: ratio(1.5, 3),
  stories260k: ratio(1.5, 3),
  dtln: ratio(1.5, 3),
  'resnet50-bf16': ratio(1.6, 2),
  'bert-base-bf16': ratio(2, 2.5),
  'wasm-resnet50': ratio(1.6, 2.4),
  'wasm-bert-base': ratio(1.4, 1.6),
  'wasm-mobilenet-v3-large': ratio(1.7, 2.5),
  'start-resnet50': ratio(4, 10),
  'memory-resnet50': { metric: 'memory', must: 0.65, aim: 0.5 },
  'compile-resnet50': { metric: 'seconds', must: 10, aim: 3 },
  overhead: { metric: 'microseconds', must: 0.2, aim: 0.1 },
  open: { metric: 'milliseconds', must: 5, aim: 2 },
}

/** Whether a value is as good as a bound, or better. */
export const meets = (metric: Metric, value: number, bound: number): boolean =>
  metrics[metric].better === 'more' ? value >= bound : value <= bound
