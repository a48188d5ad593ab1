import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { context, type PluginBuild } from 'esbuild'
import glowplug, { type Summary } from 'glowplug/esbuild'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { cleanUp, createProject, emptyFolder, program, runAlone, scaleModel, scaleWeights } from './support.ts'

const withHelper = `
import { model, mul, tensor } from 'glowplug'
import { factor } from './factor.ts'
export default model({ name: 'helped', inputs: { x: tensor('f32', [2]) }, forward: ({ x }) => ({ y: mul(x, factor) }) })
`

for (const kind of ['folder', 'memory'] as const) {
  test(`BP-06 watch mode with a ${kind} cache: helpers, JSON and weights rebuild the models that depend on them, and only those`, async () => {
    const project = createProject({
      'app.ts': program(['half', './half.model.ts'], ['helped', './helped.model.ts']),
      'half.model.ts': scaleModel('half'),
      'half.safetensors': scaleWeights([0.5, 0.5]),
      'helped.model.ts': withHelper,
      'factor.ts': `import config from './factor.json'\nexport const factor = config.factor\n`,
      'factor.json': '{ "factor": 2 }',
    })
    // A build cannot trust files that are written while it starts.
    await new Promise((done) => setTimeout(done, 40))
    let ended: (outcome: string) => void
    let summary: Summary = { models: [] }
    const report = (given: Summary) => {
      summary = given
    }
    const plugin = glowplug({ targets: ['interpreter'], cache: kind === 'folder' ? emptyFolder() : false, report })
    const observer = {
      name: 'observer',
      setup: ({ onEnd }: PluginBuild) =>
        onEnd(({ errors }) =>
          ended(
            errors.length > 0
              ? errors.map(({ text }) => text).join()
              : summary.models.map(({ model, cached }) => `${model}${cached ? ' cached' : ''}`).join(),
          ),
        ),
    }
    const watching = await context({
      absWorkingDir: project,
      entryPoints: ['app.ts'],
      outdir: 'out',
      bundle: true,
      platform: 'node',
      format: 'esm',
      logLevel: 'silent',
      plugins: [plugin, observer],
    })
    /** Writes a file, waits for the build that follows, returns what it compiled. */
    const afterWriting = async (name: string, content: string | Uint8Array) => {
      const outcome = new Promise<string>((done) => (ended = done))
      writeFileSync(join(project, name), content)
      return outcome
    }
    const answers = () => runAlone(join(project, 'out'), 'app.js').trim().split('\n')
    try {
      const first = new Promise<string>((done) => (ended = done))
      await watching.watch()
      assert.is(await first, 'half,helped')
      assert.equal(answers(), ['half interpreter 0.5 1', 'helped interpreter 2 4'])

      assert.is(await afterWriting('factor.json', '{ "factor": 3 }'), 'half cached,helped')
      assert.equal(answers(), ['half interpreter 0.5 1', 'helped interpreter 3 6'])

      assert.is(await afterWriting('half.safetensors', scaleWeights([0.25, 0.5])), 'half,helped cached')
      assert.equal(answers(), ['half interpreter 0.25 1', 'helped interpreter 3 6'])

      assert.match(await afterWriting('factor.ts', 'export const factor = [1, 2, 3].length === 3 ? undefined : 1\n'), /mul/)
      assert.is(await afterWriting('factor.ts', 'export const factor = 10\n'), 'half cached,helped')
      assert.equal(answers(), ['half interpreter 0.25 1', 'helped interpreter 10 20'])
    } finally {
      await watching.dispose()
    }
  })
}

test.after(cleanUp)
test.run()
