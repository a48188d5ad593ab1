import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Model } from '../../dsl/index.ts'
import { traceModel } from '../../dsl/trace.ts'
import { compile, writeBundle } from '../../plugin/compile.ts'
import { openBuckets } from '../../targets/runtime/index.ts'
import { installed, skip } from '../support/machines.ts'
import { encoder } from './encoder.ts'
import { assertSame, bucketed, exactly, reference } from './support.ts'

const sizes = [8, 16, 32]
const tokensOf = (length: number) => BigInt64Array.from({ length }, (_, i) => BigInt((i * 7 + length) % 50))
const expected = Array.from({ length: 33 }, (_, n) =>
  n === 0 ? {} : reference(exactly(encoder, { seq: n }), { tokens: tokensOf(n) }),
)

test('uncompiled: every length gives what the model at that length gives, bit for bit', async () => {
  const net = bucketed(encoder, { seq: sizes }) as Model<any, any>
  for (let n = 1; n <= 32; n++) assertSame(await net.run({ tokens: tokensOf(n) }), expected[n]!, 0, `seq ${n}`)
})

async function runCompiled(target: 'wasm' | 'native'): Promise<void> {
  const model = traceModel(bucketed(encoder, { seq: sizes }))
  assert.equal(
    model.entries.map(({ name }) => name),
    ['main.seq8', 'main.seq16', 'main.seq32'],
  )
  const bundle = await compile(model, { target })
  assert.is(
    bundle.manifest.codes[0]!.weights.bytes,
    Math.max(...bundle.manifest.codes[0]!.entries.map(({ regions }) => regions.constants)),
  )
  const folder = mkdtempSync(join(tmpdir(), 'glowplug-buckets-'))
  await writeBundle(bundle, folder)
  const net = openBuckets(folder, { target })
  assert.is(net.info.target, target)
  const results = await Promise.all(Array.from({ length: 32 }, (_, i) => net.run({ tokens: tokensOf(32 - i) })))
  for (const [i, result] of results.entries()) assertSame(result, expected[32 - i]!, 1e-4, `seq ${32 - i}`)
  for (const n of [32, 1, 17]) assertSame(net.runSync({ tokens: tokensOf(n) }), expected[n]!, 1e-4, `sync ${n}`)
  await net.close()
  rmSync(folder, { recursive: true, force: true })
}

test('compiled to wasm: the same within rounding, for every length, in any order and at once', () => runCompiled('wasm'))

if (installed('gcc')) test('compiled to native code: the same', () => runCompiled('native'))
else skip('buckets as native code', 'gcc')

test.run()
