// Every `name.model.ts` here is compiled; what comes out at each stage stands in `name.expect.md`. `--update` writes it anew.
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { CompositeName } from '../../compiler/graph/index.ts'
import { type CompileResult, compileGraph, printStage, stageNames } from '../../compiler/pipeline.ts'
import { extractModule } from '../../plugin/extract/index.ts'
import { evaluate, runGraph } from '../../targets/interpreter/index.ts'
import { onlyGraph } from '../support/graphs.ts'
import { runOnMemory, targetWith } from '../support/program.ts'
import { randomInputs } from '../support/randomGraph.ts'
import { expectEqualGraphs, expectOutputs } from '../support/sensitivity.ts'

const root = process.env.GLOWPLUG_ROOT!
const folder = join(root, 'test', 'goldens')
const update = process.env.GLOWPLUG_UPDATE === '1'
const files = readdirSync(folder)
const names = files.flatMap((file) => (file.endsWith('.model.ts') ? [file.slice(0, -'.model.ts'.length)] : []))

/** The composites that the first line of a model file asks to be kept: `// keeps: softmax, linear`. */
function keptBy(source: string): ReadonlySet<CompositeName> {
  const list = /^\/\/ keeps: (.*)\n/.exec(source)?.[1]
  assert.ok(list, 'the first line must be `// keeps: nothing` or a list of ops')
  return new Set(list === 'nothing' ? [] : (list!.split(', ') as CompositeName[]))
}

function describe(result: CompileResult): string {
  const rewrites = new Map<string, number>()
  for (const { phase, pass, applications } of result.log) {
    for (const { rule, note } of applications) {
      const line = pass === rule ? `${phase}: ${pass}` : `${phase}: ${pass}: ${rule}: \`${note}\``
      rewrites.set(line, (rewrites.get(line) ?? 0) + 1)
    }
  }
  // The interpreter wants no blocks, so that nothing is laid out anew.
  const stages = stageNames
    .filter((stage) => stage !== 'layout')
    .map((stage) => `## ${stage}\n\n\`\`\`\n${printStage(result, stage)!.trimEnd()}\n\`\`\`\n`)
  return [
    `# ${result.graph.name}\n`,
    '## rewrites\n',
    ...[...rewrites].map(([line, count]) => `- ${line}${count > 1 ? ` (${count} times)` : ''}`),
    '',
    ...stages,
  ].join('\n')
}

for (const name of names) {
  test(`golden ${name}`, async () => {
    const path = join(folder, `${name}.model.ts`)
    const { models, diagnostics } = await extractModule(path, { root })
    assert.equal(
      diagnostics.map(({ message }) => message),
      [],
    )
    const graph = onlyGraph(models[0]!.model)
    const target = targetWith({ keeps: keptBy(readFileSync(path, 'utf8')), unsupported: () => undefined })
    const result = compileGraph(graph, { target, evaluate, verify: true })
    for (const seed of [1, 2]) {
      expectEqualGraphs(result.optimised, graph, seed)
      expectEqualGraphs(result.lowered, graph, seed)
    }
    if (target.keeps.size === 0) {
      const inputs = randomInputs(graph, 3)
      const { fault, outputs } = runOnMemory(result.program, inputs)
      assert.is(fault, 0)
      expectOutputs(outputs, graph, inputs)
      assert.equal(Object.keys(outputs), Object.keys(runGraph(graph, inputs)))
    }
    const found = describe(result)
    assert.not.match(found, root, 'absolute paths')
    const expectation = join(folder, `${name}.expect.md`)
    if (update) writeFileSync(expectation, found)
    else {
      assert.ok(existsSync(expectation), `${name}.expect.md is missing; run with --update`)
      assert.fixture(found, readFileSync(expectation, 'utf8'))
    }
  })
}

test('every expectation belongs to a model', () => {
  const orphans = files.filter((file) => file.endsWith('.expect.md') && !names.includes(file.slice(0, -'.expect.md'.length)))
  if (update) for (const file of orphans) rmSync(join(folder, file))
  else assert.equal(orphans, [])
})

test('compiling twice gives equal text at every stage', async () => {
  const { models } = await extractModule(join(folder, 'convolution.model.ts'), { root })
  const again = await extractModule(join(folder, 'convolution.model.ts'), { root })
  const compile = ({ model }: (typeof models)[number]) =>
    describe(compileGraph(onlyGraph(model), { target: targetWith(), evaluate }))
  assert.is(compile(models[0]!), compile(again.models[0]!))
})

test.run()
