// `npm run demo:cards` in small: a model placed over six processes, one of which is killed while it serves.
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'

const root = process.env.GLOWPLUG_ROOT!

test('demo:cards loses nothing when a card is killed (FB-01, FB-02, RT-13)', () => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(root, 'fixtures/cards/demo.mjs'), '--requests', '400'], {
    encoding: 'utf8',
    cwd: root,
  })
  assert.is(status, 0, `${stdout}${stderr}`)
  const lines = stdout.trimEnd().split('\n')
  assert.is(lines.at(-1), '400 of 400 requests answered, 0 lost')
  assert.ok(lines.includes('all equal to the model without cards, bit for bit'), stdout)
  assert.ok(lines.includes('20 of 20 compared equal to the interpreter, but for rounding'), stdout)
  assert.is(lines.filter((line) => /^ {2}card \d /.test(line)).length, 6, stdout)
})

test.run()
