import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { cleanUp, scaleModel, scaleWeights } from '../esbuild/support.ts'
import { bundlers, createProject, names } from './support.ts'

const entry = { app: 'app.js' }
const targets = ['interpreter'] as const
const app = `import { first } from './wrong.model.ts'\nconsole.log(first)\n`
/** 1-based line of the first line that contains `text`. */
const lineOf = (source: string, text: string) => source.split('\n').findIndex((line) => line.includes(text)) + 1

const wrong = `
import { matmul, model, relu, tensor } from 'glowplug'
import { head } from './head.ts'

export const first = model({
  name: 'first',
  inputs: { x: tensor('f32', [2, 3]), y: tensor('f32', [4, 5]) },
  forward({ x, y }) {
    const z = matmul(x, y)
    return { z: relu(z) }
  },
})

export const second = model({
  name: 'second',
  inputs: { x: tensor('f32', [2, 3]) },
  forward: ({ x }) => ({ y: head(x) }),
})
`
const head = `import { type Tensor, reshape } from 'glowplug'
export const head = (x: Tensor) => {
  return reshape(x, [7])
}
`

for (const name of names) {
  const { build } = bundlers[name]
  const isWebpack = name === 'webpack' || name === 'rspack'

  test(`BP-01 ${name}: all mistakes of a file at once, at the first one's place, drawn with the way there and the remedy`, async () => {
    const project = createProject({ 'app.js': app, 'wrong.model.ts': wrong, 'head.ts': head })
    for (let i = 0; i < 2; i++) {
      const { error } = await build(project, { entry }, { targets })
      assert.ok(error, 'the build fails')
      for (const [file, source, text] of [
        ['wrong.model.ts', wrong, 'matmul(x, y)'],
        ['head.ts', head, 'reshape(x, [7])'],
      ] as const) {
        const line = lineOf(source, text)
        const column = source.split('\n')[line - 1]!.indexOf(text) + 1
        assert.match(error.text, new RegExp(`${file.replaceAll('.', '\\.')}:${line}:${column}`))
        assert.ok(error.text.includes(`${line} |`) && error.text.includes('^^^'), error.text)
      }
      assert.match(error.text, /shape-mismatch/)
      assert.match(error.text, /help: /)
      assert.match(error.text, new RegExp(`wrong\\.model\\.ts:${lineOf(wrong, 'head(x)')}`))
      if (isWebpack) {
        // Their errors belong to the module that was loaded, and the first mistake is in another file.
        assert.is(error.file, join(project, 'wrong.model.ts'))
        assert.is(error.text.split('shape-mismatch').length, 3, 'each of the two mistakes is told once')
      } else assert.equal([error.file, error.line, error.column], [join(project, 'head.ts'), 3, 9])
    }
  })

  test(`${name}: missing weights are told at the line that asks for them, warnings do not stop a build`, async () => {
    const source = scaleModel('scale')
    const files = { 'app.js': `import scale from './scale.model.ts'\nconsole.log(scale)\n`, 'scale.model.ts': source }
    const { error } = await build(createProject(files), { entry }, { targets })

    assert.match(error!.text, /scale\.safetensors/)
    assert.match(error!.text, new RegExp(`scale\\.model\\.ts:${lineOf(source, 'w.get(')}`))
    // Rspack has places for its own errors alone.
    if (name !== 'rspack') assert.is(error!.line, lineOf(source, 'w.get('))
    const unused = source.replace(`w.get('scale', 'f32', [2])`, '2')
    const { error: none, warnings } = await build(
      createProject({ ...files, 'scale.model.ts': unused, 'scale.safetensors': scaleWeights([1, 2]) }),
      { entry },
      { targets },
    )
    assert.is(none, undefined)
    assert.is(warnings.length, 1)
    assert.match(warnings[0]!, /no model uses/)
  })
}

test.after(cleanUp)
test.run()
