import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { catalogue } from '../../compiler/diagnostics/catalogue.ts'
import { createDiagnostic, type Diagnostic } from '../../compiler/diagnostics/diagnostic.ts'
import { renderDiagnostics, sortDiagnostics } from '../../compiler/diagnostics/render.ts'

const at = (file: string, line: number, column: number, end?: { line: number; column: number }) => ({
  file,
  line,
  column,
  ...(end && { endLine: end.line, endColumn: end.column }),
})

test('a frame shows the line, marks the span, and notes follow with theirs', () => {
  const source = 'one\n\tconst y = relu(x, 1)\nthree\n'
  const diagnostic = createDiagnostic('bad-operand', 'relu: no', {
    span: at('m.ts', 2, 12, { line: 2, column: 22 }),
    notes: [
      { message: 'called from here', span: at('m.ts', 1, 1, { line: 3, column: 2 }) },
      { message: 'elsewhere', span: at('gone.ts', 7, 3) },
      { message: 'two\nlines' },
    ],
    help: 'write relu(x)',
  })
  const text = renderDiagnostics([diagnostic], (file) => (file === 'm.ts' ? source : undefined))
  assert.fixture(
    text,
    `error[bad-operand] relu: no
  --> m.ts:2:12
  2 |  const y = relu(x, 1)
    |            ^^^^^^^^^^
  note: called from here
  --> m.ts:1:1
  1 | one
    | ^^^ …
  note: elsewhere
  --> gone.ts:7:3
  note: two
    lines
  help: write relu(x)
`,
  )
})

test('colours appear only when asked for', () => {
  const diagnostics = [createDiagnostic('input-unused', 'unused', { span: at('m.ts', 1, 1) })]
  const escape = String.fromCharCode(27)
  assert.not(renderDiagnostics(diagnostics, () => 'x').includes(escape))
  assert.ok(renderDiagnostics(diagnostics, () => 'x', { color: true }).includes(`${escape}[33mwarning`))
})

test('long lines are cut around the span', () => {
  const source = `${'a'.repeat(5000)}TARGET${'b'.repeat(5000)}`
  const text = renderDiagnostics(
    [createDiagnostic('bad-operand', 'here', { span: at('m.ts', 1, 5001, { line: 1, column: 5007 }) })],
    () => source,
  )
  const [, , line, marks] = text.split('\n')
  assert.ok(line!.length < 180)
  assert.is(line!.indexOf('TARGET'), marks!.indexOf('^'))
  assert.is(marks!.replaceAll(/[^^]/g, ''), '^^^^^^')
})

const arbitrary: fc.Arbitrary<Diagnostic> = fc
  .record({
    code: fc.constantFrom(...(Object.keys(catalogue) as (keyof typeof catalogue)[])),
    message: fc.string({ unit: 'binary', maxLength: 20 }),
    line: fc.integer({ min: 1, max: 5 }),
    column: fc.integer({ min: 1, max: 30 }),
    endLine: fc.integer({ min: 1, max: 6 }),
    endColumn: fc.integer({ min: 1, max: 30 }),
    file: fc.constantFrom('a.ts', 'b.ts', 'missing.ts'),
  })
  .map(({ code, message, file, line, column, endLine, endColumn }) =>
    createDiagnostic(code, message, { span: at(file, line, column, { line: endLine, column: endColumn }), notes: [{ message }] }),
  )

test('any diagnostics over any text render, in one order, without control characters', () => {
  fc.assert(
    fc.property(fc.array(arbitrary, { maxLength: 6 }), fc.string({ unit: 'binary', maxLength: 80 }), (diagnostics, source) => {
      const read = (file: string) => (file === 'missing.ts' ? undefined : source)
      const text = renderDiagnostics(diagnostics, read)
      assert.is(renderDiagnostics([...diagnostics].reverse(), read), text)
      assert.not.match(text.replaceAll('\n', ''), /[\p{Cc}\p{Zl}\p{Zp}]/u)
      for (const d of diagnostics) assert.ok(text.includes(`[${d.code}]`))
    }),
    { seed: 3, numRuns: 300 },
  )
})

test('sorted by file, line, column; what has no place stands first', () => {
  const list = [at('b.ts', 1, 1), at('a.ts', 10, 1), at('a.ts', 9, 5), at('a.ts', 9, 2)].map((span) =>
    createDiagnostic('user-throw', 'x', { span }),
  )
  const sorted = sortDiagnostics([...list, createDiagnostic('user-throw', 'x')])
  assert.equal(
    sorted.map(({ span }) => span && `${span.file}:${span.line}:${span.column}`),
    [undefined, 'a.ts:9:2', 'a.ts:9:5', 'a.ts:10:1', 'b.ts:1:1'],
  )
})

test('every entry has a title and a remedy', () => {
  for (const [code, { title, help, severity }] of Object.entries(catalogue)) {
    assert.match(code, /^[a-z]+(-[a-z]+)*$/)
    assert.ok(title.length > 10 && !title.endsWith('.'), title)
    assert.ok(help.length > 5 && !/\w\.$/.test(help), help)
    assert.ok(severity === 'error' || severity === 'warning')
  }
})

test.run()
