import { readFileSync } from 'node:fs'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { capacityOf } from '../../compiler/partition/platform.ts'
import {
  describePlatform,
  isPresetName,
  loadPreset,
  PlatformError,
  type PlatformFile,
  presets,
  readPlatform,
} from '../../targets/platform/index.ts'

const file: PlatformFile = presets['six-cards']

/** A copy with something else at a path. */
function changed(path: string, value: unknown): unknown {
  const copy = structuredClone(file) as any
  const keys = path.split('/')
  const last = keys.pop()!
  const at = keys.reduce((object, key) => object[key], copy)
  if (value === undefined) delete at[last]
  else at[last] = value
  return copy
}

function problemsOf(value: unknown): readonly string[] {
  try {
    describePlatform(value)
  } catch (error) {
    if (error instanceof PlatformError) return error.problems
    throw error
  }
  return []
}

test('the preset is the seed platform: six cards with the figures of the facts (HW-01, HW-02, HW-03)', () => {
  const { platform, provenance } = loadPreset('six-cards')
  assert.is(platform.cards.length, 6)
  const [card] = platform.cards
  assert.is(card!.cores, 12)
  assert.is(card!.operationsPerSecond.int8, 50e12)
  assert.is(capacityOf(card!), 16 * 2 ** 30)
  assert.is(card!.memory.at(-1)!.bytesPerSecond, 67.2e9)
  // Together: 300 TOPS, 96 GiB, 403 GB/s, 72 W.
  const sum = (of: (each: (typeof platform.cards)[number]) => number) =>
    platform.cards.reduce((total, each) => total + of(each), 0)
  assert.is(
    sum((each) => each.operationsPerSecond.int8),
    300e12,
  )
  assert.is(Math.round(sum((each) => each.memory.at(-1)!.bytesPerSecond) / 1e9), 403)
  assert.is(
    sum((each) => each.watts.busy),
    72,
  )
  assert.is(provenance.get('types.M.2 card.launchSeconds')?.certainty, 'assumed')
  assert.is(loadPreset('six-cards-8').platform.cards[0]!.cores, 8)
})

test('every figure of a preset says where it comes from', () => {
  const bare: string[] = []
  const visit = (value: unknown, path: readonly string[]): void => {
    if (typeof value === 'number') bare.push(path.join('.'))
    else if (typeof value === 'object' && value !== null && !('certainty' in value))
      for (const [key, inner] of Object.entries(value)) visit(inner, [...path, key])
  }
  for (const preset of Object.values(presets)) visit(preset, [])
  assert.equal(bare, [])
})

test('a platform goes through text, and bare numbers will do', () => {
  const { platform } = loadPreset('six-cards')
  assert.equal(readPlatform(JSON.stringify(file), 'x.json').platform, platform)
  const bare = JSON.parse(JSON.stringify(file, (_, value) => value?.value ?? value))
  assert.equal(describePlatform(bare).platform, platform)
  assert.equal([...describePlatform(bare).provenance], [])
})

test('cards may be of several types, and none may be there at all', () => {
  const value = changed('types/slow', file.types['M.2 card']) as any
  value.cards = [
    { type: 'slow', count: 1 },
    { type: 'M.2 card', count: 2 },
  ]
  assert.equal(
    describePlatform(value).platform.cards.map(({ name, type }) => `${name}: ${type}`),
    ['card 0: slow', 'card 1: M.2 card', 'card 2: M.2 card'],
  )
  assert.equal(describePlatform(changed('cards', [])).platform.cards, [])
})

test('everything that is wrong is said at once, with where it is and what was found', () => {
  const value = changed('types/M.2 card/cores', 0) as any
  value.uplink.bytesPerSecond = 'fast'
  value.host.memory = []
  value.extra = 1
  assert.equal(problemsOf(value), [
    'host.memory: expected at least one level of memory, the one that weights lie in (found [])',
    'uplink.bytesPerSecond: invalid input: expected number, received string (found "fast")',
    'types.M.2 card.cores: too small: expected number to be >=1 (found 0)',
    'the file: unrecognized key: "extra" (found an object)',
  ])
})

test('what contradicts itself is refused', () => {
  const cases: readonly (readonly [path: string, value: unknown, problem: RegExp])[] = [
    ['cards', [{ type: 'M2', count: 6 }], /^cards\.0\.type: there is no type 'M2'; the file has M\.2 card$/],
    ['host/refuses', ['convolution'], /^host\.refuses: there is no op 'convolution'/],
    ['host/watts', { idle: 9, busy: 1 }, /^host\.watts: expected no more power when idle \(9\) than when busy \(1\)$/],
    ['host/memory/1/bytesPerSecond', 1e13, /^host\.memory: expected the fastest level first, but 'DRAM' is faster than 'cache'$/],
    ['host/cores', { value: 2, source: 'x', certainty: 'sure' }, /^host\.cores\.certainty: invalid option/],
    ['host/utilisation/arithmetic', 1.5, /^host\.utilisation\.arithmetic: too big/],
    ['network', undefined, /^network: invalid input: expected object, received undefined \(nothing is there\)$/],
  ]
  for (const [path, value, problem] of cases) {
    const [first, ...others] = problemsOf(changed(path, value))
    assert.match(first ?? 'nothing is wrong', problem)
    assert.equal(others, [], path)
  }
})

test('text that is no JSON, or too long, is refused with its name', () => {
  assert.throws(() => readPlatform('{', 'my.json'), /^my\.json describes no platform:\n {2}expected JSON: /)
  assert.throws(() => readPlatform(' '.repeat(2 ** 20 + 1), 'my.json'), /expected at most 1048576 characters/)
})

test('presets have the names that the README lists', () => {
  const readme = readFileSync('targets/platform/README.md', 'utf8')
  for (const name of Object.keys(presets)) assert.ok(readme.includes(`\`${name}\``) && isPresetName(name), name)
})

test.run()
