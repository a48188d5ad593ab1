import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { cutRectangle } from '../support/cutRectangle.ts'
import { glowplug } from './support.ts'

const test = suite<{ folder: string }>('glowplug allocate')

test.before.each((context) => {
  context.folder = mkdtempSync(join(tmpdir(), 'glowplug-allocate-'))
})
test.after.each(({ folder }) => rmSync(folder, { recursive: true }))

/** No two rows of a CSV with offsets that are live together share a byte, and all end within the capacity. */
function judge(text: string, capacity: number): number {
  const [header, ...rows] = text.trim().split('\n')
  assert.is(header, 'id,lower,upper,size,offset')
  const buffers = rows.map((row) => row.split(',').map(Number) as [number, number, number, number, number])
  for (const [i, [, lower, upper, size, offset]] of buffers.entries()) {
    assert.ok(offset >= 0 && offset + size <= capacity)
    for (const other of buffers.slice(0, i)) {
      const together = lower < other[2] && other[1] < upper
      assert.not(together && offset < other[4] + other[3] && other[4] < offset + size)
    }
  }
  return rows.length
}

test('LL-15: fits a full rectangle of 150 pieces, on standard output and to a file', async ({ folder }) => {
  const { problem, height } = cutRectangle({ pieces: 150, seed: 150, height: 1 << 20, time: 2000, unit: 1024 })
  const file = join(folder, 'buffers.csv')
  writeFileSync(file, `id,lower,upper,size\n${problem.map((b, i) => `${i},${b.start},${b.end},${b.bytes}\n`).join('')}`)
  const printed = await glowplug('allocate', file, '--capacity', String(height))
  assert.is(printed.status, 0, printed.err)
  assert.is(judge(printed.out, height), problem.length)

  const out = join(folder, 'placed.csv')
  const written = await glowplug('allocate', file, '--capacity', String(height), '--out', out)
  assert.is(written.status, 0)
  assert.is(readFileSync(out, 'utf8'), printed.out)
  assert.match(written.out, /placed\.csv {2}\d+ buffers in \d+ of 1048576 bytes/)
})

test('a capacity that is too small is status 1, and writes nothing', async ({ folder }) => {
  const file = join(folder, 'buffers.csv')
  writeFileSync(file, 'id,lower,upper,size\na,0,2,4\nb,1,3,4\n')
  const { status, err, out } = await glowplug('allocate', file, '--capacity', '7', '--out', join(folder, 'placed.csv'))
  assert.is(status, 1)
  assert.is(out, '')
  assert.match(err, /8 bytes are live at one time; they do not fit into 7/)
  assert.equal(readdirSync(folder), ['buffers.csv'])
})

test('mistakes in the file name its lines; wrong usage is status 2', async ({ folder }) => {
  const file = join(folder, 'buffers.csv')
  writeFileSync(file, 'id,lower,upper,size\na,0,2,4\nb,1,x,4\nc,1,1,4\n')
  const { status, err } = await glowplug('allocate', file, '--capacity', '8')
  assert.is(status, 1)
  assert.match(err, /buffers\.csv:3: upper "x"/)
  assert.match(err, /buffers\.csv:4: lower 1 is not less than upper 1/)
  assert.is((await glowplug('allocate', file)).status, 2)
  assert.is((await glowplug('allocate', file, '--capacity', '1.5')).status, 2)
  assert.is((await glowplug('allocate', join(folder, 'absent.csv'), '--capacity', '8')).status, 1)
})

test.run()
