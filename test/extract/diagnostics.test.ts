import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { catalogue, type DiagnosticCode } from '../../compiler/diagnostics/catalogue.ts'
import { renderDiagnostics } from '../../compiler/diagnostics/render.ts'
import { extractModule } from '../../plugin/extract/index.ts'

const root = join(process.env.GLOWPLUG_ROOT!, 'fixtures/diagnostics')
const update = process.env.GLOWPLUG_UPDATE === '1'

/** Raised behind the extractor, by code that has tests of its own. */
const raisedElsewhere: readonly DiagnosticCode[] = [
  'unsupported-op',
  'target-unavailable',
  'placement-impossible',
  'over-budget',
  'tuning-unreadable',
  'tuning-stale',
  'onnx-malformed',
  'onnx-unsupported',
  'onnx-option',
]

const folders = readdirSync(root).sort()

for (const code of folders) {
  test(`${code}: told at its place, with its remedy (BP-02)`, async () => {
    const folder = join(root, code)
    const started = performance.now()
    const { diagnostics } = await extractModule(join(folder, 'x.model.ts'), { root: folder })
    const elapsed = performance.now() - started
    const entry = catalogue[code as DiagnosticCode]
    const read = (file: string) => (existsSync(join(folder, file)) ? readFileSync(join(folder, file), 'utf8') : undefined)
    const rendered = renderDiagnostics(diagnostics, read)
    const text = `# ${code}\n\n${entry.title}.\n\n\`\`\`\n${rendered}\`\`\`\n`
    const expectation = join(folder, 'x.expect.md')
    if (update) writeFileSync(expectation, text)
    assert.ok(existsSync(expectation), 'no expectation; write it with --update')
    assert.fixture(text, readFileSync(expectation, 'utf8'))
    assert.ok(
      diagnostics.some((d) => d.code === code && d.severity === entry.severity && d.span?.file === 'x.model.ts'),
      rendered,
    )
    // One mistake is one diagnostic: what follows from it is not told again.
    assert.is(diagnostics.length, 1)
    assert.ok(elapsed < 5000, `${elapsed} ms`)
  })
}

test('every code of the catalogue has a fixture, and every fixture a code', () => {
  const expected = Object.keys(catalogue).filter((code) => !raisedElsewhere.includes(code as DiagnosticCode))
  assert.equal(folders, expected.sort())
})

test.run()
