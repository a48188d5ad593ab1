import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type Pass, passes } from '../../compiler/passes/index.ts'
import { printRows, rows } from '../../compiler/passes/rows.ts'
import { pipelines } from '../../compiler/pipeline/phases.ts'
import { headings } from './suite.ts'

const root = process.env.GLOWPLUG_ROOT!
const folder = join(root, 'test', 'passes')
const every: readonly Pass[] = Object.values(passes)

/** A pass without rules states one rewrite under its own name, or several that stand in its expectation. */
function ruleNames(pass: Pass): readonly string[] {
  if (pass.rules) return pass.rules.map((rule) => rule.name)
  return [...new Set([...expectationOf(pass).matchAll(/^- ([a-z0-9-]+): /gm)].map((match) => match[1]!))]
}

const expectationOf = (pass: Pass): string => readFileSync(join(folder, `${pass.name}.expect.md`), 'utf8')

test('OP-01 … OP-65: each row is a pass, a rule, a file, or says why there is none', () => {
  assert.equal(
    rows.map(({ id }) => id),
    Array.from({ length: 65 }, (_, i) => `OP-${String(i + 1).padStart(2, '0')}`),
  )
  const known = new Set(every.flatMap((pass) => [pass.name, ...ruleNames(pass).map((rule) => `${pass.name}/${rule}`)]))
  for (const { id, by, files = [], note } of rows) {
    for (const name of by) assert.ok(known.has(name), `${id}: there is no ${name}`)
    for (const file of files) assert.ok(existsSync(join(root, file)), `${id}: there is no ${file}`)
    assert.ok(by.length > 0 || files.length > 0 || note, `${id} says nothing`)
  }
})

test('OP-01 … OP-65: rows that passes have stand in the names of their cases', () => {
  const texts = every.map(expectationOf).join('\n')
  assert.equal(
    rows.flatMap(({ id, by }) => (by.length > 0 && !texts.includes(id) ? [id] : [])),
    [],
  )
})

test('rows.md is printed from rows.ts', () => {
  const path = join(root, 'compiler', 'passes', 'rows.md')
  if (process.env.GLOWPLUG_UPDATE === '1') writeFileSync(path, printRows())
  else assert.fixture(readFileSync(path, 'utf8'), printRows())
})

test('every pass has cases that it rewrites and cases that it leaves, every rule one that it rewrites', () => {
  const missing = every.flatMap((pass) => {
    const text = expectationOf(pass)
    return ruleNames(pass).flatMap((rule) => (text.includes(`- ${rule}: `) ? [] : [`${pass.name}/${rule}`]))
  })
  assert.equal(missing, [])
  for (const pass of every) {
    const text = expectationOf(pass)
    for (const heading of Object.values(headings)) assert.match(text, heading, `${pass.name} lacks '${heading}'`)
  }
  const files = readdirSync(folder).filter((file) => file.endsWith('.expect.md'))
  assert.equal(files.sort(), every.map((pass) => `${pass.name}.expect.md`).sort())
})

test('rules of a pass have names of their own', () => {
  for (const pass of every) assert.is(new Set(ruleNames(pass)).size, ruleNames(pass).length, pass.name)
})

test('OP-63 the pipelines are lists of known passes, each with a purpose', () => {
  assert.equal(Object.keys(pipelines), ['fold', 'default', 'clean-up-casts'])
})

test.run()
