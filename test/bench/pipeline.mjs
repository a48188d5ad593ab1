// Milliseconds of processor time of the pipeline, without C compilation, on graphs of N operations of several shapes, for the wasm target; needs no peers.
// `node test/bench/pipeline.mjs [--sizes 1000,2500,5000,10000] [--families chain,residual] [--stages] [--passes]`
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { build } from 'esbuild'
import { bundleOptions, root } from '../../plugin/build.mjs'

const { values } = parseArgs({
  options: {
    sizes: { type: 'string', default: '1000,2500,5000,10000' },
    families: { type: 'string' },
    stages: { type: 'boolean' },
    passes: { type: 'boolean' },
  },
})

const folder = mkdtempSync(join(tmpdir(), 'glowplug-bench-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
const outfile = join(folder, 'pipeline.mjs')
await build({
  ...bundleOptions,
  outfile,
  nodePaths: [join(root, 'node_modules')],
  packages: 'bundle',
  banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url)" },
  stdin: {
    resolveDir: root,
    contents: `
      export { families, largeGraph } from './test/support/largeGraphs.ts'
      export { compileGraph } from './compiler/pipeline.ts'
      export { interpreter, evaluate } from './targets/interpreter/index.ts'
      export { simd128 } from './targets/c/level.ts'
      export { answersAt, hasKernel } from './targets/c/target.ts'
    `,
  },
})
const { families, largeGraph, compileGraph, interpreter, evaluate, simd128, answersAt } = await import(
  pathToFileURL(outfile).href
)
const target = { ...interpreter, ...answersAt(simd128), unsupported: () => undefined }

const round = (milliseconds) => String(Math.round(milliseconds))
const sizes = values.sizes.split(',').map(Number)
const names = values.families?.split(',') ?? Object.keys(families)

// What is compiled first pays for the warming up of the engine.
for (const family of Object.values(families)) compileGraph(largeGraph(family, 200), { target, evaluate })

for (const name of names) {
  const totals = []
  for (const size of sizes) {
    const graph = largeGraph(families[name], size)
    const started = process.cpuUsage()
    const { times, log, program } = compileGraph(graph, { target, evaluate })
    const { user, system } = process.cpuUsage(started)
    const total = (user + system) / 1000
    totals.push(total)
    const operations = graph.nodes.filter((node) => node.op !== 'input' && node.op !== 'constant').length
    const ratio = totals.length > 1 ? `, x${(total / totals.at(-2)).toFixed(2)}` : ''
    const peak = `peak ${program.regions.activations} of ${program.lowerBound}`
    console.log(`${name} ${operations} operations, ${graph.nodes.length} nodes: ${round(total)} ms${ratio}; ${peak}`)
    if (values.stages)
      console.log(
        `  ${Object.entries(times)
          .map(([stage, time]) => `${stage} ${round(time)}`)
          .join(', ')}`,
      )
    if (values.passes) {
      const perPass = new Map()
      for (const { phase, pass, milliseconds } of log) {
        const { runs, time } = perPass.get(`${phase}/${pass}`) ?? { runs: 0, time: 0 }
        perPass.set(`${phase}/${pass}`, { runs: runs + 1, time: time + milliseconds })
      }
      const sorted = [...perPass].sort((a, b) => b[1].time - a[1].time).slice(0, 12)
      for (const [pass, { runs, time }] of sorted) console.log(`    ${pass}: ${round(time)} ms in ${runs}`)
    }
  }
}
