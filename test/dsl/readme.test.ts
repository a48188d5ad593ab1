import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import * as glowplug from '../../dsl/index.ts'

const folder = join(process.env.GLOWPLUG_ROOT!, 'dsl')
/** Rows of the tables whose first cell is a call: the name of the function, and what it says of the result. */
const rows = new Map(
  [...readFileSync(join(folder, 'README.md'), 'utf8').matchAll(/^\| `(\w+)\(.*?\)` \| ((?:\\\||[^|])*) \|/gm)].map(
    ([, name, summary]) => [name!, summary!.replaceAll('\\|', '|')],
  ),
)
const functions = Object.entries(glowplug).flatMap(([name, value]) => (typeof value === 'function' ? [name] : []))

test('dsl/README.md lists every function that models are written with, and no other', () => {
  assert.ok(functions.length > 90, `${functions.length} functions`)
  assert.equal([...rows.keys()].sort(), functions.sort())
})

test('it says of each function what its documentation comment begins with', () => {
  const sources = readdirSync(folder)
    .filter((name) => name.endsWith('.ts'))
    .map((name) => readFileSync(join(folder, name), 'utf8'))
  for (const name of functions) {
    const comments = sources.flatMap((text) => [
      ...text.matchAll(new RegExp(`/\\*\\*((?:(?!\\*/)[^])*)\\*/\\s*export function ${name}\\b`, 'g')),
    ])
    assert.is(comments.length, 1, name)
    const text = comments[0]![1]!
      .replaceAll(/^\s*\* ?/gm, '')
      .replaceAll(/\s+/g, ' ')
      .trim()
    assert.ok(text.startsWith(`${rows.get(name)}.`), `${name}: ${text}`)
  }
})

test.run()
