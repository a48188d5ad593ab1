// Long files are compiled in parts at once; they must compute what the whole computes.
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { countParts, firstPart, intoParts } from '../../targets/c/parts.ts'
import { findCompiler } from '../../targets/native/index.ts'
import { codeHeader } from '../../targets/native/sources.ts'
import { compileAddon } from '../../targets/native/toolchain.ts'
import { compilerCalled, levels, loadAddon, platform, regionOf, writeFile } from './harness.ts'

/** A kernel whose text is long, for the space of a comment. */
const kernel = (name: string, bytes: number, body: string) => [
  `/* ${name}${' '.repeat(bytes)} */`,
  `KERNEL void ${name}(float *x) {`,
  `  ${body}`,
  '}',
]
const kernels = [
  kernel('first', 200_000, 'x[0] += 1;'),
  kernel('second', 10_000, 'x[0] *= 3;'),
  kernel('third', 200_000, 'x[0] -= 5;'),
  kernel('fourth', 100_000, 'x[0] *= x[0];'),
]

test('short files are one part, and as they were', () => {
  const short = kernels.map(([, ...lines]) => lines)
  const { before, kernels: text, first } = intoParts(short)
  assert.equal([before, text, first(['a'])], [[], short.flatMap((lines) => ['', ...lines]), ['a']])
  assert.is(countParts(text.join('\n')), 1)
})

test('long files are parts of about the same length, in order, and each part knows the kernels of the others', () => {
  const { kernels: text } = intoParts(kernels)
  assert.is(countParts(text.join('\n')), 3)
  const parts = text.flatMap((line) => /^#if PART\((\d)\)$/.exec(line)?.[1] ?? [])
  assert.equal(parts, ['0', '1', '1', '2'])
  const declared = text.filter((line) => line.endsWith(';') && line.startsWith('void'))
  assert.equal(
    declared,
    ['first', 'second', 'third', 'fourth'].map((name) => `void ${name}(float *x);`),
  )
})

test('parts compiled at once and linked are the whole, with gcc and with clang', async () => {
  const { before, kernels: text, first } = intoParts(kernels)
  const entry = [
    'static int entry0(char *constants, char *mutable, char *activations, struct glowplug_team *team) {',
    '  float *x = (float *)mutable;',
    '  (void)constants; (void)activations; (void)team;',
    '  first(x); second(x); third(x); fourth(x);',
    '  return 0;',
    '}',
  ]
  const tables = [
    'const struct glowplug_entry glowplug_entries[] = {{entry0, 0, 64, 0, 0, 0, 0, 0}};',
    'const unsigned glowplug_entry_count = 1;',
    'const char glowplug_needs[] = "";',
  ]
  const start = ['#define KERNEL static __attribute__((noinline))', codeHeader]
  const source = [...start, ...before, ...text, ...first(entry), ...firstPart(tables), ''].join('\n')
  for (const compiler of [await findCompiler(platform), await compilerCalled('clang')]) {
    if (!compiler) continue
    const { bytes, warnings } = await compileAddon(source, { ...levels().at(-1)!, flags: [] }, compiler)
    assert.is(warnings, '')
    const addon = loadAddon(writeFile(bytes, 'node'))
    const { region, start: at } = regionOf(addon, 64)
    const x = new Float32Array(region, at, 1)
    x[0] = 2
    addon.run(addon.open(writeFile(new Uint8Array(64), 'bin'), 64, 0, 0, 0), 0, region, at)
    assert.is(x[0], 16)
  }
})

test.run()
