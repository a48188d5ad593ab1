import { transformSync } from 'esbuild'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { printGraph } from '../../compiler/graph/index.ts'
import * as glowplug from '../../dsl/index.ts'
import { traceModel } from '../../dsl/trace.ts'
import { onlyGraph } from '../support/graphs.ts'
import { extractProject } from './project.ts'

/** The body of a model over three inputs, read by the extractor and run as it stands: both graphs as text. */
async function bothWays(body: string): Promise<[read: string, ran: string]> {
  const names = Object.keys(glowplug).filter((name) => new RegExp(`\\b${name}\\(`).test(body))
  const spec = `{
    name: 'm',
    inputs: { x: tensor('f32', [3, 2, 4]), w: tensor('f32', [2, 20, 4]), r: tensor('f32', [2, 20, 5]) },
    forward({ x, w, r }) { ${body} },
  }`
  const list = [...new Set([...names, 'model', 'tensor'])]
  const { models, diagnostics } = await extractProject({
    'm.model.ts': `import { ${list.join(', ')} } from 'glowplug'\nexport default model(${spec})`,
  })
  assert.equal(diagnostics, [])
  const { code } = transformSync(`model(${spec})`, { loader: 'ts' })
  const values = list.map((name) => (glowplug as Readonly<Record<string, unknown>>)[name])
  const traced = new Function(...list, `return ${code.trim().replace(/;$/, '')}`)(...values)
  return [printGraph(onlyGraph(models[0]!.model)), printGraph(onlyGraph(traceModel(traced)))]
}

const bodies = {
  destructured: `const { output, cell, hidden: last } = lstm(x, { input: w, recurrent: r }, { direction: 'bidirectional' })
    return { output, cell, last }`,
  property: `const layer = lstm(x, { input: w, recurrent: r }, { direction: 'bidirectional', lengths: [3, 1] })
    return { output: layer.output, again: layer['hidden'] }`,
  'spread and enumerated': `const layer = lstm(x, { input: w, recurrent: r }, { direction: 'bidirectional' })
    const { cell, ...rest } = layer
    return { ...rest, count: reshape(cell, [Object.keys({ ...layer }).length - 1, 10, 1]) }`,
  'einsum and attention': `const scores = einsum('dgf,lbf->lbdg', [w, x])
    return { y: attention(scores, scores, scores), z: mul(r, 2) }`,
}
for (const [name, body] of Object.entries(bodies)) {
  test(`results of several tensors: ${name}`, async () => {
    const [read, ran] = await bothWays(body)
    assert.is(read, ran)
  })
}

test.run()
