// What the benchmark itself does, without peers, models or clocks.
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { checkSides, differenceOf } from './agreement.ts'
import type { Side } from './drivers/driver.ts'
import { demands, meets } from './numbers.ts'
import { initializersAsConstants } from './onnx.ts'
import { chooseRows, readOptions, UsageError } from './options.ts'
import { randomTensor } from './random.ts'
import { digits, duration, failuresOf, type Measurement, table } from './results.ts'
import { rows } from './rows.ts'
import { comparePairs, quantile, spreadOf } from './statistics.ts'
import { paceOf, timePairs } from './turns.ts'

const problemOf = (body: () => unknown): string => {
  try {
    body()
  } catch (error) {
    if (error instanceof UsageError) return error.message
    throw error
  }
  return 'none'
}

test('quantiles lie between neighbours, and nothing has none', () => {
  assert.is(quantile([1, 2, 3, 4], 0.5), 2.5)
  assert.is(quantile([10, 20, 40], 0.25), 15)
  assert.is(quantile([7], 0.75), 7)
  assert.equal(spreadOf([9, 1, 5, 3, 7]), { low: 3, median: 5, high: 7 })
  assert.throws(() => spreadOf([]), RangeError)
})

test('the ratio is that of pairs, not of medians: what slows both of a pair down does not count', () => {
  const pairs = [
    { ours: 1, peer: 2 },
    { ours: 10, peer: 20 },
    { ours: 100, peer: 200 },
    { ours: 1, peer: 4 },
    { ours: 1, peer: 1 },
  ]
  const { ratio, ours, peer, pairs: count } = comparePairs(pairs)
  assert.equal(ratio, { low: 2, median: 2, high: 2 })
  assert.equal([ours.median, peer.median, count], [1, 4, 5])
})

const measured = (row: string, value: number, more: Partial<Measurement> = {}): Measurement => ({
  ...{ row, title: row, metric: demands[row]?.metric ?? 'ratio', value },
  ...more,
})

test('failed is what misses its must, and what could not be measured and must reach something', () => {
  assert.ok(meets('ratio', 1.2, 1.2) && !meets('ratio', 1.19, 1.2))
  assert.ok(meets('seconds', 10, 10) && !meets('seconds', 10.1, 10))
  const found = [
    measured('resnet50', 1.2, { threads: 1 }),
    measured('resnet50', 1.1, { threads: 2 }),
    measured('memory-resnet50', 0.7),
    measured('wasm-ultraface', 0.1),
  ]
  const broken = [
    { row: 'dlrm', reason: 'no weights' },
    { row: 'wasm-stories260k', reason: 'no matter' },
  ]
  assert.equal(failuresOf(found, broken), [
    { row: 'resnet50', threads: 2, must: 1.2, value: 1.1 },
    { row: 'memory-resnet50', must: 0.65, value: 0.7 },
    { row: 'dlrm', must: 2.5, reason: 'no weights' },
  ])
})

test('every demand is of a row, and asks more as aim than as must', () => {
  for (const [row, { metric, must, aim }] of Object.entries(demands)) {
    assert.ok(rows.has(row), row)
    assert.ok(meets(metric, aim, must) && aim !== must, row)
  }
})

test('the table has the columns that are filled, and says what each row reaches', () => {
  const spread = { low: 1.29, median: 1.3, high: 1.31 }
  const text = table([
    measured('resnet50', 1.3, { title: 'ResNet-50', threads: 1, ours: 60.04, peer: 78.1, spread }),
    measured('mlp', 70, { title: 'MLP', threads: 2, ours: 0.000085, peer: 0.006 }),
    measured('memory-resnet50', 0.7, { title: 'memory', ours: 210, peer: 300 }),
  ])
  assert.is(
    text,
    `
|           | threads | ours    | peer    | ratio   | quartiles   | must     | aim     | reaches |
| --------- | ------- | ------- | ------- | ------- | ----------- | -------- | ------- | ------- |
| ResNet-50 | 1       | 60.0 ms | 78.1 ms | 1.30 ×  | 1.29 … 1.31 | 1.2      | 1.35    | must    |
| MLP       | 2       | 85.0 ns | 6.00 µs | 70.0 ×  |             | 20       | 60      | aim     |
| memory    |         | 210 MB  | 300 MB  | 0.700 × |             | ≤ 0.65 × | ≤ 0.5 × | misses  |`.slice(1),
  )
})

test('numbers have three digits', () => {
  assert.equal([0, 0.01234, 1.234, 12.34, 123.4, 1234].map(digits), ['0', '0.0123', '1.23', '12.3', '123', '1234'])
  assert.equal([0.0000851, 0.5, 5, 12_000].map(duration), ['85.1 ns', '500 µs', '5.00 ms', '12.0 s'])
})

test('options: what makes no sense is told with what would', () => {
  const { only, threads, seconds } = readOptions(['--only', 'mlp,dtln', '--only', 'open', '--threads', '2,1'])
  assert.equal([only, threads, seconds], [['mlp', 'dtln', 'open'], [2, 1], 15])
  assert.is(
    problemOf(() => readOptions(['--threads', '0'])),
    '--threads 0: expected whole numbers from 1 to 256, such as --threads 1,2',
  )
  assert.match(
    problemOf(() => readOptions(['--threads', '1.5'])),
    /^--threads 1\.5: expected whole numbers/,
  )
  assert.is(
    problemOf(() => readOptions(['--seconds', 'long'])),
    '--seconds long: expected a number above 0 and up to 3600',
  )
  assert.match(
    problemOf(() => readOptions(['--thread', '1'])),
    /^Unknown option '--thread'.*see --help$/s,
  )
  assert.match(
    problemOf(() => readOptions(['resnet50'])),
    /^Unexpected argument 'resnet50'.*see --help$/,
  )
})

test('rows are chosen by name, or by part of one', () => {
  const names = ['resnet50', 'resnet50-int8', 'mlp']
  assert.equal(chooseRows([], names), names)
  assert.equal(chooseRows(['resnet50'], names), ['resnet50'])
  assert.equal(chooseRows(['mlp', 'int8'], names), ['resnet50-int8', 'mlp'])
  assert.is(
    problemOf(() => chooseRows(['vgg'], names)),
    '--only vgg: there is no such row; rows are resnet50, resnet50-int8, mlp',
  )
})

/** A side that writes down what it is asked. */
function recording(name: string, log: string[], values: (step: number) => readonly number[] = () => [1]): Side {
  let last = 0
  return {
    run(step) {
      last = step
      log.push(`${name}${step}`)
    },
    outputs: () => ({ y: Float32Array.from(values(last)) }),
  }
}

test('turns alternate in who goes first, and each side sees its steps in order', async () => {
  const log: string[] = []
  const waits: number[] = []
  const sides = { ours: recording('o', log), peer: recording('p', log) }
  // A turn that is over as soon as it began, so that each has one run.
  const pace = { ...paceOf(1, 2), turn: 1e-9, fewest: 3, most: 3 }
  const pairs = await timePairs(
    sides,
    pace,
    () => {},
    async (milliseconds) => waits.push(milliseconds),
  )
  assert.is(pairs.length, 3)
  assert.ok(pairs.every(({ ours, peer }) => ours >= 0 && peer >= 0))
  assert.equal(waits, Array(6).fill(pace.rest))
  const turns = log.join(' ').replace(/(\w)\d+/g, '$1')
  assert.match(turns, /o o p p p p o o o o p p$/)
  for (const name of ['o', 'p'])
    assert.equal(
      log.filter((entry) => entry.startsWith(name)),
      log.filter((entry) => entry.startsWith(name)).map((_, i) => `${name}${i}`),
    )
})

test('outputs are compared as shares of the largest element, and a difference stops the row', async () => {
  const array = (...values: number[]) => Float32Array.from(values)
  assert.is(differenceOf({ y: array(1, 2, 4) }, { y: array(1, 3, 4) }), 0.25)
  assert.is(differenceOf({ y: array(0, Number.NaN) }, { y: array(0, Number.NaN) }), 0)
  assert.is(differenceOf({ y: array(1, Number.NaN) }, { y: array(1, 2) }), Number.POSITIVE_INFINITY)
  assert.is(differenceOf({ y: array(1) }, { y: array(0) }), Number.POSITIVE_INFINITY)
  assert.is(differenceOf({ y: BigInt64Array.of(3n) }, { y: BigInt64Array.of(4n) }), 0.25)
  assert.throws(() => differenceOf({ y: array(1) }, { y: array(1, 2) }), /output 'y' has 1 elements, the peer's 2/)
  assert.throws(() => differenceOf({}, { y: array(1) }), /output 'y' has no elements/)

  const sides = (off: number) => ({
    ours: recording('o', [], (step) => [step === 2 ? 1 + off : 1]),
    peer: recording('p', []),
    checks: 3,
  })
  assert.is(await checkSides(sides(0.0625), 0.1), 0.0625)
  const message = await checkSides(sides(0.5), 0.1).catch((error: Error) => error.message)
  assert.is(message, 'outputs of step 2 differ by 5.0e-1 of the largest element; 0.1 is allowed')
})

test('inputs are the same for the same seed, and lie in their range', () => {
  const ids = { name: 'ids', dtype: 'i64', shape: [1000] }
  const drawn = randomTensor(ids, 5, [3, 6]) as BigInt64Array
  assert.equal(drawn, randomTensor(ids, 5, [3, 6]))
  assert.not.equal(drawn, randomTensor(ids, 6, [3, 6]))
  assert.equal([...new Set(drawn)].sort(), [3n, 4n, 5n])
  const values = randomTensor({ name: 'x', dtype: 'f32', shape: [100] }, 1, [-1, 1]) as Float32Array
  assert.ok(values.every((value) => value >= -1 && value < 1 && value !== 0))
})

test('initialisers that are listed as inputs are listed no longer; the rest of the file stays as it is', () => {
  const field = (number: number, bytes: readonly number[]) => [number * 8 + 2, bytes.length, ...bytes]
  const named = (number: number, name: string) => field(number, [...Buffer.from(name)])
  const weight = field(5, named(8, 'w'))
  const [x, w] = [field(11, named(1, 'x')), field(11, named(1, 'w'))]
  const rest = [8, 7]
  const file = (...inputs: readonly (readonly number[])[]) =>
    Uint8Array.from([...rest, ...field(7, [...weight, ...inputs.flat()])])
  assert.equal(initializersAsConstants(file(x, w)), file(x))
  assert.equal(initializersAsConstants(file(x)), file(x))
})

test.run()
