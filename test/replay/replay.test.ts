import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { stageNames } from '../../compiler/pipeline.ts'
import { compareDumps, describeDumps } from './compare.mjs'

const root = process.env.GLOWPLUG_ROOT!
const folder = mkdtempSync(join(tmpdir(), 'glowplug-dumps-'))
test.after(() => rmSync(folder, { recursive: true, force: true }))

function dump(name: string, texts: Readonly<Record<string, string>>): string {
  for (const [file, text] of Object.entries(texts)) {
    const path = join(folder, name, `${file}.txt`)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, text)
  }
  return join(folder, name)
}

test('replay names the first stage that differs, and what follows from it', () => {
  const before = dump('before', {
    'a/wasm/graph': 'g',
    'a/wasm/optimised': 'o',
    'a/wasm/kernels': 'k',
    'a/wasm/memory': 'm',
    'b/wasm/graph': 'g',
    'c/wasm/failure': 'f',
  })
  const after = dump('after', {
    'a/wasm/graph': 'g',
    'a/wasm/optimised': 'o',
    'a/wasm/kernels': 'K',
    'a/wasm/memory': 'M',
    'b/wasm/graph': 'g',
    'd/wasm/graph': 'g',
  })
  assert.equal(describeDumps(compareDumps(before, after)), [
    'a/wasm: kernels is changed; then memory',
    'c/wasm: failure is gone',
    'd/wasm: graph is new',
    '4 of 7 texts differ',
  ])
  assert.equal(describeDumps(compareDumps(before, before)), ['6 texts, all equal'])
})

test('every stage of a model is dumped', () => {
  const out = join(folder, 'stages')
  const args = [join(root, 'test/replay/dump.mjs'), root, out, '--only=goldens/perceptron']
  const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' })
  assert.is(status, 0, stderr)
  const { differences } = compareDumps(join(folder, 'nothing'), out)
  const wasm = differences.find(({ where }) => where.endsWith('/wasm'))!
  assert.equal(
    wasm.stages.map(({ stage, state }) => `${stage} ${state}`),
    stageNames.map((stage) => `${stage} new`),
  )
})

test('replay says what it does not know', () => {
  const run = (...args: string[]) =>
    spawnSync(process.execPath, [join(root, 'test/replay.mjs'), ...args], { cwd: folder, encoding: 'utf8' })
  const option = run('--dif')
  assert.equal([option.status, option.stderr], [2, 'replay has no option --dif; options are --only=PART, --c, --diff, --keep\n'])
  const revision = run('no-such-revision')
  assert.is(revision.status, 1)
  assert.match(revision.stderr, /no-such-revision/)
})

test.run()
