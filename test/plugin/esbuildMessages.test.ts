import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { formatMessages } from 'esbuild'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Diagnostic } from '../../compiler/diagnostics/diagnostic.ts'
import { toMessages } from '../../plugin/esbuildMessages.ts'

const root = mkdtempSync(join(tmpdir(), 'glowplug-messages-'))
writeFileSync(join(root, 'a.model.ts'), "first line\r\nconst naïve = '😀'; relu(x)\r\nthird\n")

const diagnostic: Diagnostic = {
  code: 'shape-mismatch',
  severity: 'error',
  message: 'relu: no',
  span: { file: 'a.model.ts', line: 2, column: 21, endLine: 2, endColumn: 28 },
  notes: [{ message: 'called from here', span: { file: 'a.model.ts', line: 1, column: 7 } }, { message: 'and 3 more calls' }],
  help: 'write something else',
}

test('spans become byte columns with the text of the line', async () => {
  const { errors, warnings } = await toMessages([diagnostic, { ...diagnostic, severity: 'warning' }], root)
  assert.is(errors.length, 1)
  assert.is(warnings.length, 1)
  const lineText = "const naïve = '😀'; relu(x)"
  // ï takes two bytes and the emoji four, against one and two units of UTF-16.
  assert.equal(errors[0]!.location, { file: 'a.model.ts', line: 2, column: 23, length: 7, lineText })
  assert.is(Buffer.from(lineText).subarray(23, 30).toString(), 'relu(x)')
  assert.equal(
    errors[0]!.notes!.map(({ text }) => text),
    ['called from here', 'and 3 more calls', 'write something else'],
  )
  assert.equal(errors[0]!.notes![0]!.location, { file: 'a.model.ts', line: 1, column: 6, length: 0, lineText: 'first line' })
  assert.match(errors[0]!.text!, /^relu: no \[shape-mismatch\]$/)
})

test('a span over several lines is marked to the end of its first; a file that is gone still has its place', async () => {
  const span = { file: 'a.model.ts', line: 2, column: 21, endLine: 3, endColumn: 2 }
  const gone = { ...span, file: 'gone.ts' }
  const { errors } = await toMessages(
    [
      { ...diagnostic, span },
      { ...diagnostic, span: gone },
    ],
    root,
  )
  assert.is(errors[0]!.location!.length, 7)
  assert.equal([errors[1]!.location!.file, errors[1]!.location!.line, errors[1]!.location!.lineText], ['gone.ts', 2, ''])
  const drawn = await formatMessages(errors, { kind: 'error' })
  assert.ok(drawn[0]!.includes('a.model.ts:2:23'))
})

test.after(() => rmSync(root, { recursive: true, force: true }))
test.run()
