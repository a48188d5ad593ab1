import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { cleanUp, emptyFolder, program, runAlone, scaleModel, scaleWeights } from '../esbuild/support.ts'
import { bundlers, createProject, names } from './support.ts'

const withHelper = `
import { model, mul, tensor } from 'glowplug'
import { factor } from './factor.ts'
export default model({ name: 'helped', inputs: { x: tensor('f32', [2]) }, forward: ({ x }) => ({ y: mul(x, factor) }) })
`

for (const name of names) {
  test(`BP-06 ${name}: watch mode follows weights, helpers and JSON, through a mistake and back`, async () => {
    const project = createProject({
      'app.js': program(['half', './half.model.ts'], ['helped', './helped.model.ts']),
      'half.model.ts': scaleModel('half'),
      'half.safetensors': scaleWeights([0.5, 0.5]),
      'helped.model.ts': withHelper,
      'factor.ts': `import config from './factor.json'\nexport const factor = config.factor\n`,
      'factor.json': '{ "factor": 2 }',
    })
    // A build cannot trust files that are written while it starts, and watchers look at times in whole seconds.
    await new Promise((done) => setTimeout(done, 1100))
    const watching = bundlers[name].watch(
      project,
      { entry: { app: 'app.js' } },
      { targets: ['interpreter'], cache: emptyFolder() },
    )
    const answers = () => runAlone(join(project, 'out'), 'app.mjs').trim().split('\n')
    /**
     * Writes a file and waits for the build that says `expected`. Watchers may build more often than once for a change; one that comes
     * while they look at the last build's files they may miss, so it comes again after a while.
     */
    const afterWriting = async (file: string, content: string | Uint8Array, expected: RegExp) => {
      const write = () => writeFileSync(join(project, file), content)
      write()
      let next = watching.next()
      for (let attempts = 0; attempts < 20; ) {
        const outcome = await Promise.race([next, new Promise<void>((done) => setTimeout(done, 3000))])
        if (outcome) {
          const { error, models } = outcome
          if (expected.test(error?.text ?? models.map(({ model, cached }) => `${model}${cached ? ' cached' : ''}`).join())) return
          next = watching.next()
        } else {
          attempts++
          write()
        }
      }
      throw new Error(`no build after ${file} was written said ${expected}`)
    }
    try {
      const first = await watching.next()
      assert.equal([first.error, first.models.map(({ model }) => model)], [undefined, ['half', 'helped']])
      assert.equal(answers(), ['half interpreter 0.5 1', 'helped interpreter 2 4'])

      await afterWriting('factor.json', '{ "factor": 3 }', /helped(?! cached)/)
      assert.equal(answers(), ['half interpreter 0.5 1', 'helped interpreter 3 6'])

      await afterWriting('half.safetensors', scaleWeights([0.25, 0.5]), /half(?! cached)/)
      assert.equal(answers(), ['half interpreter 0.25 1', 'helped interpreter 3 6'])

      await afterWriting('factor.ts', 'export const factor = [1, 2, 3].length === 3 ? undefined : 1\n', /mul/)
      await afterWriting('factor.ts', 'export const factor = 10\n', /helped(?! cached)/)
      assert.equal(answers(), ['half interpreter 0.25 1', 'helped interpreter 10 20'])
    } finally {
      await watching.close()
    }
  })
}

test.after(cleanUp)
test.run()
