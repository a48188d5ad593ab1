import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { formatBytes, formatReport, type ModelSummary } from '../../plugin/report.ts'

test('sizes have one unit, and never four digits before the point', () => {
  const sizes: readonly [number, string][] = [
    [0, '0 B'],
    [1023, '1023 B'],
    [1024, '1.0 KiB'],
    [1536, '1.5 KiB'],
    [1024 * 1023.94, '1023.9 KiB'],
    [1024 * 1024 - 1, '1.0 MiB'],
    [3 * 2 ** 30, '3.0 GiB'],
    [5000 * 2 ** 40, '5000.0 TiB'],
  ]
  for (const [bytes, text] of sizes) assert.is(formatBytes(bytes), text)
})

const row: ModelSummary = {
  file: 'src/face.model.ts',
  model: 'face',
  target: 'wasm',
  level: 'any',
  code: 2048,
  weights: 3 * 2 ** 20,
  activations: 123456,
  lowerBound: 100000,
  entries: [{ name: 'main', activations: 123456, lowerBound: 100000 }],
  milliseconds: 1234.5,
  cached: false,
}

test('one line for each model and target, names to the left and numbers to the right', () => {
  const text = formatReport({
    models: [row, { ...row, model: 'a_long_name', level: 'v3', weights: 12, milliseconds: 7.4, cached: true }],
  })
  assert.is(
    text,
    [
      'glowplug',
      '  model        target      code  weights  activations  lower bound           time',
      '  face         wasm     2.0 KiB  3.0 MiB    120.6 KiB     97.7 KiB          1.2 s',
      '  a_long_name  wasm v3  2.0 KiB     12 B    120.6 KiB     97.7 KiB  7 ms (cached)',
      '',
    ].join('\n'),
  )
  assert.is(formatReport({ models: [] }), '')
})

test('entries are named where there are several, each with its own memory', () => {
  const entries = [
    { name: 'prefill', activations: 4096, lowerBound: 2048 },
    { name: 'step', activations: 512, lowerBound: 512 },
  ]
  const model = { ...row, model: 'story', target: 'native', level: 'x86-64-v3', activations: 4096, lowerBound: 2048, entries }
  assert.is(
    formatReport({ models: [model] }),
    [
      'glowplug',
      '  model      target               code  weights  activations  lower bound   time',
      '  story      native x86-64-v3  2.0 KiB  3.0 MiB                            1.2 s',
      '    prefill                                          4.0 KiB      2.0 KiB',
      '    step                                               512 B        512 B',
      '',
    ].join('\n'),
  )
})

test('what auto left out is said once, in one line', () => {
  const omitted = 'no native code: there is no C compiler'
  const text = formatReport({ models: [{ ...row, omitted }, { ...row, model: 'other', omitted }, row] })
  assert.is(text.split(omitted).length, 2)
  assert.match(text, /\n {2}no native code: there is no C compiler\n$/)
})

test.run()
