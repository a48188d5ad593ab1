import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import * as glowplug from '../../dsl/index.ts'
import { glow } from './coverage/glow.ts'
import { coveragePage, imported, missed, standard } from './coverage/page.ts'
import { misses, partial, reasons } from './coverage/reasons.ts'

const path = join(process.env.GLOWPLUG_ROOT!, 'dsl/onnx/COVERAGE.md')

test('the page says what was measured', () => {
  const page = coveragePage()
  if (process.env.GLOWPLUG_UPDATE === '1') writeFileSync(path, page)
  assert.fixture(readFileSync(path, 'utf8'), page, 'node test/run.mjs onnx/coverage --update')
})

test('every operator of the standard is imported, or is out of scope for a reason', () => {
  const silent = Object.keys(standard.operators).filter((name) => !imported.has(name) && !reasons[name])
  assert.equal(silent, [])
  assert.equal(
    Object.keys(reasons).filter((name) => imported.has(name)),
    [],
    'reasons for what is imported',
  )
  assert.equal(
    Object.keys(partial).filter((name) => !imported.has(name)),
    [],
    'notes on what is not imported',
  )
})

test('every case that does not pass has its reason', () => {
  assert.equal([...missed].sort(), Object.keys(misses).sort())
})

test('every node of Glow has its place, and functions that are named exist', () => {
  const nodes = Object.values(glow).flatMap((family) => Object.entries(family))
  assert.is(nodes.length, 167)
  const unknown = nodes.flatMap(([node, there]) =>
    'by' in there ? there.by.split(' ').flatMap((name) => (Object.hasOwn(glowplug, name) ? [] : [`${node}: ${name}`])) : [],
  )
  assert.equal(unknown, [])
})

test.run()
