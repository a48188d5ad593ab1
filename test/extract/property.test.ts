import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { draw } from '../support/draw.ts'
import { program } from './programs.ts'
import { evaluateSource, runInNode } from './support.ts'

const { seed, numRuns } = draw(7, 400)

test('random programs mean what they mean in Node (BP-02, BP-03)', async () => {
  let compared = 0
  await fc.assert(
    fc.asyncProperty(program, async (source) => {
      let expected: string
      try {
        expected = runInNode(source)
      } catch (error) {
        // The generator may write what Node does not even parse, such as a second declaration of a name.
        if (error instanceof SyntaxError || (error as { errors?: unknown }).errors) return
        throw error
      }
      const outcome = await evaluateSource(source)
      // TypeScript's parser, unlike others, takes some `<<` followed by parentheses for type arguments.
      if (outcome.codes.includes('syntax-error')) return
      // The text of a function is outside the subset on purpose: it differs between TypeScript and JavaScript.
      if (outcome.text.includes('unsupported-reflection')) return
      compared++
      assert.is(outcome.text, expected, outcome.codes.join(' '))
    }),
    { seed, numRuns },
  )
  assert.ok(compared > numRuns * 0.95, `only ${compared} of ${numRuns} programs could be compared`)
})

test.run()
